"""Parquet and Arrow: records out of columns, one batch in memory at a time. "Lines" are row numbers."""

from __future__ import annotations

from typing import BinaryIO

from ftc.spec.data.records import Broken, Items

_BATCH_ROWS = 1024


def read_parquet(stream: BinaryIO) -> Items:
    """Rows of a Parquet file, in order."""
    import pyarrow
    import pyarrow.parquet  # 170 ms, so only here

    number = 0
    try:
        for batch in pyarrow.parquet.ParquetFile(stream).iter_batches(batch_size=_BATCH_ROWS):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        yield number + 1, Broken("D104", f"not whole Parquet: {_first_line(error)}", fatal=True)


def read_arrow(stream: BinaryIO) -> Items:
    """Rows of an Arrow IPC file (Feather V2) or stream (what `datasets` keeps), in order."""
    import pyarrow
    import pyarrow.ipc

    number = 0
    try:
        if stream.read(6) == b"ARROW1":
            stream.seek(0)
            file = pyarrow.ipc.open_file(stream)
            batches = (file.get_batch(each) for each in range(file.num_record_batches))
        else:
            stream.seek(0)
            batches = iter(pyarrow.ipc.open_stream(stream))
        for batch in batches:
            for start in range(0, batch.num_rows, _BATCH_ROWS):
                for row in batch.slice(start, _BATCH_ROWS).to_pylist():
                    number += 1
                    yield number, row
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        yield number + 1, Broken("D104", f"not whole Arrow: {_first_line(error)}", fatal=True)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
