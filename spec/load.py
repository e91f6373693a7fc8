"""`ftc.yaml` to a `Spec`: read, validate, check, build, with every problem found in one pass.

Knows the file; what the words mean is in `language.py`, what goes together in `check.py`. Never raises for what is in
a file, however broken or hostile: the answer is then a list of diagnostics, each with its place.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ftc.spec.build import build, names_only
from ftc.spec.check import Context, check
from ftc.spec.complaints import complain
from ftc.spec.diagnostics import Diagnostic, errors
from ftc.spec.language import Json, Reading, read, spec_schema
from ftc.spec.model import Spec
from ftc.spec.positions import SECRET, Positions
from ftc.spec.yaml_tree import Unreadable, read_tree

__all__ = ["Loaded", "load", "load_text", "spec_schema"]

LARGEST = 1_000_000  # bytes; a spec of a hundred sources has 20,000
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff\ud800-\udfff]")
_KEY_PARTS = re.compile(r"[^.\[\]]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What came of a file. `spec` is None where one of the diagnostics is an error; `digest` is the SHA-256."""

    spec: Spec | None
    names: Spec | None = None  # of a spec that was refused: its model and hardware, to be looked up all the same
    diagnostics: tuple[Diagnostic, ...]
    positions: Positions
    digest: str = ""
    text: str = field(default="", repr=False)

    def locate(self, diagnostic: Diagnostic) -> Diagnostic:
        """The diagnostic with its place in the file, found by its dotted key."""
        return self.positions.locate(diagnostic)

    def with_found(self, found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
        """What was found here and elsewhere, located, from the top of the file to its end."""
        return _in_order([*self.diagnostics, *found], self.positions)


def load(path: Path) -> Loaded:
    """The spec in a file."""
    file = str(path)
    try:
        if not path.is_file():
            return _nothing(file, _no_file(path))
        with path.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "its name is not one that a file can have"
        return _nothing(file, Diagnostic(code="S101", message=f"cannot read {file}: {said}"))
    return load_text(content, file, path.parent)


def load_text(text: bytes | str, file: str, folder: Path) -> Loaded:
    """The spec in a text. `file` names it in diagnostics; relative paths in it start at `folder`."""
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    digest = hashlib.sha256(content).hexdigest()
    if len(content) > LARGEST:
        message = f"larger than {LARGEST // 1000:,} kB, which is no spec"
        return _nothing(file, Diagnostic(code="S101", message=message, fix="name data files in data.*.path"), digest)
    try:
        source = _decode(content)
        root = read_tree(source)
    except Unreadable as unreadable:
        shown = content.decode("utf-8", "replace")
        return _refused(file, shown, Reading(), [unreadable.diagnostic], digest)
    if root is None or (root.kind == "scalar" and not root.text.strip()):
        message = "the file is empty"
        return _refused(file, source, Reading(), [Diagnostic(code="S108", message=message, fix="ftc init")], digest)
    reading = read(root)
    if not isinstance(reading.value, dict):
        what = "a list" if isinstance(reading.value, list) else "a single value"
        message = f"a spec is a mapping of keys to values, and this is {what}"
        fix = "goal: {task: classification}"
        return _refused(file, source, Reading(), [Diagnostic(code="S108", message=message, fix=fix)], digest)
    return _loaded(reading, file, source, folder, digest)


def _loaded(reading: Reading, file: str, source: str, folder: Path, digest: str) -> Loaded:
    positions = Positions.of(file, source, reading.places)
    value = _flat_overrides(reading, positions)
    refused = {each.key for each in reading.diagnostics}
    wrong_values = complain(value)
    for each in wrong_values:
        _take_out(value, each.key)
    complaints = [each for each in wrong_values if each.key not in refused]  # a place is complained of once
    found = [*reading.diagnostics, *complaints, *check(value, Context(folder=folder, positions=positions))]
    wrong = bool(errors(found))
    return Loaded(
        spec=None if wrong else build(value, folder),
        names=names_only(value, folder) if wrong else None,
        diagnostics=_in_order(found, positions),
        positions=positions,
        digest=digest,
        text=source,
    )


def _decode(content: bytes) -> str:
    """The text of a file: UTF-8 with or without a BOM, UTF-16 with one. Raises Unreadable."""
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        message = f"not UTF-8: byte 0x{content[error.start]:02x} in line {line}"
        fix = "save it as UTF-8, or: iconv -f windows-1252 -t utf-8 ftc.yaml"
        raise Unreadable(
            Diagnostic(code="S102", message=message, fix=fix, line=line, column=column, length=1)
        ) from None
    found = _CONTROL.search(text)
    if found:
        before = text[: found.start()]
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        message = f"a control character (U+{ord(found.group()):04X}) that no YAML file may hold"
        diagnostic = Diagnostic(code="S102", message=message, fix="remove it", line=line, column=column, length=1)
        raise Unreadable(diagnostic)
    return text


def _no_file(path: Path) -> Diagnostic:
    from ftc.spec import places_on_disk as disk

    if path.is_dir():
        return Diagnostic(code="S101", message=f"{path} is a folder", fix=f"{path / 'ftc.yaml'}")
    if path.exists():
        return Diagnostic(code="S101", message=f"{path} is no regular file")
    yaml_files = [name for name in disk.names_in(path.parent) if name.endswith((".yaml", ".yml"))]
    meant = disk.nearest(path.name, path.parent) or (yaml_files[0] if len(yaml_files) == 1 else "")
    if meant:
        meant = str(path.parent / meant)
        return Diagnostic(code="S101", message=f'no such file: {path}; did you mean "{meant}"?', fix=meant)
    return Diagnostic(code="S101", message=f"no such file: {path}", fix="ftc init")


def _flat_overrides(reading: Reading, positions: Positions) -> dict[str, Json]:
    """The value with nested overrides (`lora: {rank: 32}`) as dotted ones (`lora.rank`)."""
    value: dict[str, Json] = reading.value
    overrides = value.get("overrides")
    if isinstance(overrides, dict):
        flat: dict[str, Json] = {}
        for key, each in _leaves(overrides, ""):
            if key in flat:
                message = f'"overrides.{key}" is set twice, as a dotted key and in a mapping'
                reading.diagnostics.append(
                    Diagnostic(code="S119", message=message, fix="keep one of them", key=f"overrides.{key}")
                )
            flat[key] = each
        value["overrides"] = flat
    return value


def _leaves(value: dict[str, Json], prefix: str) -> Iterable[tuple[str, Json]]:
    for name, each in value.items():
        if isinstance(each, dict):
            yield from _leaves(each, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", each


def _take_out(value: Json, key: str) -> None:
    """Remove what was refused, so that no later check speaks of it again."""
    if key.startswith("overrides."):
        value.get("overrides", {}).pop(key.removeprefix("overrides."), None)
        return
    parts = _KEY_PARTS.findall(key)
    for part in parts[:-1]:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
    if parts and isinstance(value, dict):
        value.pop(parts[-1], None)
    elif parts and isinstance(value, list) and parts[-1].isdigit() and int(parts[-1]) < len(value):
        value[int(parts[-1])] = None  # the places of its neighbours stay


def _in_order(diagnostics: Iterable[Diagnostic], positions: Positions) -> tuple[Diagnostic, ...]:
    """Located, without secrets, each once, from the top of the file to its end."""
    located = (positions.locate(each) for each in diagnostics)
    clean = dict.fromkeys(_without_secrets(each) for each in located)
    return tuple(sorted(clean, key=lambda each: (each.line, each.column, each.code, each.message)))


def _without_secrets(each: Diagnostic) -> Diagnostic:
    message, fix, key = (SECRET.sub("***", text) for text in (each.message, each.fix, each.key))
    return replace(each, message=message, fix=fix, key=key)


def _refused(file: str, text: str, reading: Reading, found: list[Diagnostic], digest: str) -> Loaded:
    positions = Positions.of(file, text, reading.places)
    return Loaded(spec=None, diagnostics=_in_order(found, positions), positions=positions, digest=digest, text=text)


def _nothing(file: str, diagnostic: Diagnostic, digest: str = "") -> Loaded:
    positions = Positions(file=file)
    return Loaded(spec=None, diagnostics=(replace(diagnostic, file=file),), positions=positions, digest=digest)
