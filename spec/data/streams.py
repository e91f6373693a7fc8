"""Bytes of a file as they were before it was compressed, and lines out of bytes. Memory stays bounded.

Gzip and zstd are told by their first bytes, never by the name. A line longer than `LONGEST_LINE` is no line but a
file of another kind, and is refused instead of being held in memory.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal, cast

Compression = Literal["none", "gzip", "zstd"]

BLOCK = 1 << 20  # bytes read at once
LONGEST_LINE = 64 << 20  # bytes
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class TooLong(ValueError):
    """A line of more than `LONGEST_LINE` bytes, starting at `line`."""

    def __init__(self, line: int) -> None:
        self.line = line
        super().__init__(f"a line of more than {LONGEST_LINE >> 20} MB")


def compression_of(head: bytes) -> Compression:
    """Told by the first four bytes."""
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    return "zstd" if head.startswith(b"\x28\xb5\x2f\xfd") else "none"


def open_bytes(path: Path) -> BinaryIO:
    """The file, decompressed while it is read. Damage shows as OSError, EOFError or zlib.error."""
    stream = path.open("rb")
    kind = compression_of(stream.read(4))
    stream.seek(0)
    if kind == "gzip":
        return cast(BinaryIO, gzip.GzipFile(fileobj=stream))
    return cast(BinaryIO, _Zstandard(stream)) if kind == "zstd" else stream


class _Zstandard(io.RawIOBase):
    """Zstandard frames, decompressed while they are read."""

    def __init__(self, stream: BinaryIO) -> None:
        import zstandard  # 10 ms, and only where it is needed

        self._error = zstandard.ZstdError
        self._stream = stream
        self._reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(
            stream, read_across_frames=True
        )

    def read(self, size: int = -1) -> bytes:
        """Up to that many bytes."""
        try:
            return self._reader.read(size)
        except self._error as error:
            raise OSError(str(error)) from None

    def close(self) -> None:
        """Close the file below as well."""
        self._stream.close()
        super().close()


Encoding = Literal["utf-8", "utf-8 with mark", "utf-16", "carriage returns"]


def encoding_of(head: bytes) -> Encoding:
    """How the text that starts like this is to be read."""
    if head.startswith(b"\xef\xbb\xbf"):
        return "utf-8 with mark"
    if head.startswith(_UTF16):
        return "utf-16"
    return "carriage returns" if b"\r" in head and b"\n" not in head else "utf-8"


def as_utf8(stream: BinaryIO, encoding: Encoding) -> BinaryIO:
    r"""The stream as plain UTF-8 with `\n` at the ends of lines."""
    match encoding:
        case "utf-8 with mark":
            stream.read(3)
            return stream
        case "utf-16":
            return cast(BinaryIO, _Translated(stream))
        case "carriage returns":
            return cast(BinaryIO, _CarriageReturns(stream))
        case _:
            return stream


class _Translated(io.RawIOBase):
    """UTF-16 in, UTF-8 out. What cannot be decoded becomes the sign for that, which the lint finds."""

    def __init__(self, stream: BinaryIO) -> None:
        self._text = io.TextIOWrapper(stream, encoding="utf-16", errors="replace", newline="")

    def read(self, size: int = -1) -> bytes:
        """At least one character, unless the end is reached."""
        return self._text.read(size if size is not None and size >= 0 else -1).encode("utf-8", "replace")

    def close(self) -> None:
        """Close the file below as well."""
        self._text.close()
        super().close()


class _CarriageReturns(io.RawIOBase):
    """Line ends of old Macintosh files as everybody else writes them."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """The bytes, one for one."""
        return self._stream.read(size).replace(b"\r", b"\n")

    def close(self) -> None:
        """Close the file below as well."""
        self._stream.close()
        super().close()


def lines(stream: BinaryIO) -> Iterator[bytes]:
    r"""Each line without its end (`\n`, `\r\n`). Raises TooLong, and OSError, EOFError or zlib.error on damage."""
    rest, number = b"", 1
    while block := stream.read(BLOCK):
        parts = (rest + block if rest else block).split(b"\n")
        rest = parts.pop()
        if len(rest) > LONGEST_LINE:
            raise TooLong(number + len(parts))
        number += len(parts)
        for part in parts:
            yield part[:-1] if part.endswith(b"\r") else part
    if rest:
        yield rest[:-1] if rest.endswith(b"\r") else rest
