"""From a path as written to files, each with its container. Content decides; a name only breaks ties.

A path is a file, a folder (all data files in it, in the order of their names), a glob, or the name of a data set on the
hub.
"""

from __future__ import annotations

import errno
import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import orjson

from ftc.spec.data import columnar, delimited, json_text, plain_text
from ftc.spec.data.hub import fetch, is_hub_name
from ftc.spec.data.records import Broken, Items
from ftc.spec.data.streams import Encoding, TooLong, as_utf8, compression_of, encoding_of, open_bytes

MOST_ENTRIES = 100_000  # of a folder: a corpus has fewer files, a home folder or a disk has more

Container = Literal["delimited", "json", "jsonl", "parquet", "arrow", "text", "lines", "unknown", "empty"]

_HEAD = 256 << 10  # bytes looked at
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a ZIP archive or an Office file; unpack it, or export it as CSV"),
    (b"%PDF", "a PDF; turn it into text first, for example with pdftotext"),
    (b"\xd0\xcf\x11\xe0", "an old Office file; export it as CSV"),
    (b"SQLite format 3", "a SQLite database; export a table as CSV"),
    (b"7z\xbc\xaf", "a 7-Zip archive; unpack it"),
    (b"BZh", "compressed with bzip2; unpack it, or use gzip or zstd"),
    (b"\xfd7zXZ", "compressed with xz; unpack it, or use gzip or zstd"),
    (b"\x89HDF", "an HDF5 file; export it as Parquet"),
    (b"\x80\x04", "a Python pickle, which is never loaded; export it as JSONL"),
    (b"\x80\x05", "a Python pickle, which is never loaded; export it as JSONL"),
)
_TEXT = (".txt", ".md", ".markdown", ".rst", ".text")
_DATA = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".arrow", ".feather")
_SQUEEZED = (".gz", ".zst", ".zstd")
_READ_ME = ("readme", "licen", "dataset_info", "dataset_infos", "state.json", "notice")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """One file. `name` is what findings call it: the path as written, or below the folder as written."""

    path: Path
    name: str
    container: Container
    encoding: Encoding = "utf-8"
    compressed: bool = False
    dialect: delimited.Dialect | None = None
    why: str = ""  # what was seen; for `unknown`, what it is instead


def is_pattern(path: str) -> bool:
    """True for a glob."""
    return any(each in path for each in "*?[")


def find(path: str, folder: Path, by_line: bool = False) -> list[DataFile]:
    """The files behind a path as written. Raises OSError; FileNotFoundError where there is none.

    `by_line`: a plain text file is a list of texts, one a line.
    """
    start = folder / Path(path).expanduser()
    if start.is_dir():
        names = [(each, f"{path.rstrip('/')}/{each.relative_to(start)}") for each in _inside(start)]
    elif is_pattern(path) and not start.exists():
        base = Path(start.anchor)
        found = sorted(base.glob(str(start.relative_to(base))))
        names = [(each, _as_written(each, folder, path)) for each in found if each.is_file()]
    elif is_hub_name(path, folder):
        from ftc.spec.cache import folder as cache

        return [look(fetch(path, cache()), path)]
    else:
        return [look(start, path, by_line)]
    if not names:
        raise FileNotFoundError(2, "no data file in it" if start.is_dir() else "no file matches", path)
    return [look(each, name, by_line) for each, name in names]


def _as_written(file: Path, folder: Path, path: str) -> str:
    return str(file if Path(path).expanduser().is_absolute() else file.relative_to(folder))


def _inside(folder: Path) -> list[Path]:
    """Data files of a folder; text files only where there is no table among them. Raises OSError for a whole disk."""
    files: list[Path] = []
    seen = 0
    for top, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith((".", "_")))
        seen += len(folders) + len(names)
        if seen > MOST_ENTRIES:
            raise OSError(errno.E2BIG, f"more than {MOST_ENTRIES:,} files and folders in it", str(folder))
        shown = (name for name in names if not name.startswith((".", "_")) and not name.lower().startswith(_READ_ME))
        files += [path for name in shown if (path := Path(top, name)).is_file()]
    files.sort()
    tables = [each for each in files if _suffix(each) in _DATA]
    return tables or [each for each in files if _suffix(each) in _TEXT]


def _suffix(path: Path) -> str:
    name = path.with_suffix("") if path.suffix.lower() in _SQUEEZED else path
    return name.suffix.lower()


def look(path: Path, name: str, by_line: bool = False) -> DataFile:
    """What that file is. Raises OSError, EOFError or zlib.error where it cannot be read."""
    with path.open("rb") as raw:
        compressed = compression_of(raw.read(4)) != "none"
    with open_bytes(path) as stream:
        head = stream.read(_HEAD)
    container, dialect, why = _recognise(head, len(head) < _HEAD, _suffix(path))
    if container == "text" and by_line:
        container = "lines"
    return DataFile(
        path=path,
        name=name,
        container=container,
        encoding=encoding_of(head),
        compressed=compressed,
        dialect=dialect,
        why=why,
    )


def _recognise(head: bytes, complete: bool, suffix: str) -> tuple[Container, delimited.Dialect | None, str]:
    if head.startswith(b"PAR1"):
        return "parquet", None, "Parquet"
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return "arrow", None, "Arrow"
    for magic, what in _MAGIC:
        if head.startswith(magic):
            return "unknown", None, what
    text = _decoded(head)
    if not text.strip():
        return "empty", None, "empty"
    if "\0" in text[:4096]:
        return "unknown", None, "binary, of a kind that is not known here"
    if text.lstrip()[0] in "{[":
        kind = _json_kind(text.lstrip(), complete, suffix)
        if kind:
            return kind, None, "JSON" if kind == "json" else "one JSON value a line"
    if suffix in _TEXT and not text.partition("\n")[0].count("\t"):
        return "text", None, "plain text"
    dialect = delimited.dialect_of(text, complete)
    if dialect and (suffix not in _TEXT or dialect.delimiter == "\t"):
        return "delimited", dialect, f"fields separated by {_NAMES[dialect.delimiter]}"
    if suffix in (".csv", ".tsv"):
        return "delimited", delimited.Dialect("\t" if suffix == ".tsv" else ","), "one column"
    if suffix in (".json", ".jsonl", ".ndjson"):
        return ("json" if suffix == ".json" else "jsonl"), None, "JSON by its name"
    return "text", None, "plain text"


_NAMES = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}


def _decoded(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", "replace")
    return head.decode("utf-8-sig", "replace")


def _json_kind(text: str, complete: bool, suffix: str) -> Literal["json", "jsonl"] | None:
    """JSONL where the first line is whole and a second one opens alike, or where only the first is damaged."""
    first, _, rest = text.partition("\n")
    second = rest.lstrip()[:1]
    if _parses(first):
        return "jsonl" if suffix in (".jsonl", ".ndjson") or second == first[0] else "json"
    if suffix in (".jsonl", ".ndjson"):
        return "jsonl"
    if second == text[0] == "{":
        return "jsonl"
    if suffix == ".json" or second in '{["]}' or not rest:
        return "json"
    return None


def _parses(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return False
    return True


def records(file: DataFile) -> Items:
    """What the file holds, record by record. Ends with a fatal `Broken` where it cannot be read on."""
    at = 0
    try:
        with open_bytes(file.path) as stream:
            for at, item in _read(file, stream):
                yield at, item
    except TooLong as error:
        yield error.line, Broken("D104", str(error), fatal=True)
    except (OSError, EOFError, zlib.error) as error:
        yield at + 1, Broken("D101", f"cannot be read on: {reason_of(error)}", fatal=True)


def reason_of(error: Exception) -> str:
    """What the operating system or the decompressor says, without its number and path."""
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


def _read(file: DataFile, stream: BinaryIO) -> Items:
    match file.container:
        case "parquet":
            return columnar.read_parquet(stream)
        case "arrow":
            return columnar.read_arrow(stream)
        case "empty":
            return iter(())
        case "unknown":
            return iter([(1, Broken("D105", file.why, fatal=True))])
    text = as_utf8(stream, file.encoding)
    match file.container:
        case "jsonl":
            return json_text.read_lines(text)
        case "json":
            return json_text.read_document(text)
        case "lines":
            return plain_text.read_by_line(text)
        case "delimited":
            return delimited.read(text, file.dialect or delimited.Dialect(","))
        case _:
            return plain_text.read(text)
