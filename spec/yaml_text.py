"""Values as text that can be pasted into YAML, the same to every reader: YAML 1.1 and 1.2, block and flow.

Knows nothing of the spec.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

Json = Any  # a JSON value

COMMENT_COLUMN = 34  # where remarks start, on lines that are short enough
_PLAIN = re.compile(r"[A-Za-z0-9./_](?:[A-Za-z0-9 ._/+-]|:(?=[A-Za-z_]))*", re.ASCII)  # `builtin:tiny` needs no quotes
# Read as something else than text by one YAML version or the other.
_NOT_TEXT = re.compile(
    r"(?i)true|false|null|yes|no|on|off|y|n|[-+]?[.0-9][-+.0-9_e:]*|0[xob][0-9a-f_]+|\d+-\d+-\d+.*|.* |.*\n",
    re.ASCII,
)


def yaml_text(value: Json) -> str:
    """A value on one line: `train.csv`, `"no"`, `{path: train.csv}`, `[1, 2]`."""
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and not _NOT_TEXT.fullmatch(value) else quoted(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{yaml_text(str(name))}: {yaml_text(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(yaml_text(each) for each in value) + "]"
    return _float(value) if isinstance(value, float) else json.dumps(value)


def quoted(text: str) -> str:
    """A text in double quotes, with everything escaped that cannot be seen."""
    return "".join(_escaped(char) for char in json.dumps(text, ensure_ascii=False))


def one_line(text: str, most: int = 100) -> str:
    """A text as it can stand in a comment: printable, on one line, at most `most` characters."""
    line = "".join(char if char.isprintable() else " " for char in text[: 4 * most])
    line = " ".join(line.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def with_comment(entry: str, comment: str) -> str:
    """An entry with a remark behind it, the remarks of a file in one column."""
    return f"{entry.ljust(COMMENT_COLUMN)}  # {comment}" if comment else entry


def slug(text: str) -> str:
    """A name for a run, as near to `text` as can be: letters, digits, dot, dash and underscore, at most 64."""
    plain = unicodedata.normalize("NFKD", text[:200]).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._]+", "-", plain).strip("-._")[:64].rstrip("-._") or "run"


def _escaped(char: str) -> str:
    if char.isprintable():
        return char
    code = ord(char)
    if 0xD800 <= code < 0xE000:
        return "\ufffd"  # half a character, which no file can hold
    return f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"


def _float(value: float) -> str:
    if math.isnan(value) or math.isinf(value):
        return ".nan" if math.isnan(value) else (".inf" if value > 0 else "-.inf")
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    mantissa, e, exponent = repr(value).partition("e")
    return f"{mantissa}{'' if '.' in mantissa or not e else '.0'}{e}{exponent}"  # 1e-4 is a text to YAML 1.1
