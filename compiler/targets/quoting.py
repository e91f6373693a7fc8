"""How a value enters a file: quoted for its format, or refused. Templates cannot put one in bare.

Jinja2's sandbox with StrictUndefined; each `{{ }}` has to end in a filter of this module (or be a number), else
rendering fails. So a template that forgets to quote is found by the first test, not by the first hostile name.
"""

from __future__ import annotations

import re
import shlex
from functools import cache
from importlib.resources import files
from typing import Any

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029]|\n|\t")


class Quoted(str):
    """Text that has been quoted for the place that it enters."""

    __slots__ = ()


def shell(value: str) -> Quoted:
    """One word of a POSIX shell."""
    if "\0" in value:
        raise ValueError("a shell word cannot hold a NUL")
    return Quoted(shlex.quote(value))


def words(values: tuple[str, ...]) -> Quoted:
    """Words of a POSIX shell, one blank between."""
    return Quoted(" ".join(shell(value) for value in values))


def header(value: str) -> Quoted:
    """An option in a line of comments that a program reads (`#SBATCH`): no quoting there, so only plain characters."""
    if not re.fullmatch(r"[A-Za-z0-9=:.,_@%/&|()*\[\]+-]+", value):
        raise ValueError(f"{value!r} cannot stand in a header line")
    return Quoted(value)


def python(value: Any) -> Quoted:
    """A Python literal of a string, a number, or a list of such."""
    return Quoted(ascii(value))


def verbatim(value: str) -> Quoted:
    """Shell that the user wrote to be run as it is (`setup`), one line."""
    if CONTROL.search(value):
        raise ValueError("a line of set-up has control characters in it")
    return Quoted(value)


def render_template(name: str, /, **values: Any) -> str:
    """The template of that name in this folder, with `values`."""
    text: str = _environment().from_string((files("ftc.compiler.targets") / name).read_text("utf-8")).render(values)
    return text


@cache
def _environment() -> Any:
    from jinja2 import StrictUndefined  # 60 ms; only rendering pays for it
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, finalize=_finalize
    )
    environment.filters = {"sh": shell, "words": words, "header": header, "py": python, "verbatim": verbatim}
    return environment


def _finalize(value: object) -> object:
    if isinstance(value, (Quoted, int)):
        return value
    raise TypeError(f"a template puts {value!r} in without a filter that quotes it")


def plain_name(text: str, longest: int = 40) -> str:
    """`text` reduced to what every engine takes as a name: a to z, 0 to 9 and dashes inside, letter first."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    name = name if name[:1].isalpha() else f"ftc-{name}"
    return name[:longest].strip("-")
