"""Makes what follows from elsewhere: spec.md from the JSON Schema, the tables of estimates.md and benchmarks/README.md
from the results of the benchmarks.

    python docs/make.py            writes the files
    python docs/make.py --check    ends with 1 where one of them is not what would be written
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ftc.spec.load import spec_schema

HERE = Path(__file__).resolve().parent
BENCHMARKS = HERE.parent / "benchmarks"
Json = dict[str, Any]
SPEC_HEAD = """\
# The spec

Generated from `spec/spec.schema.json` (`python docs/make.py`); do not edit. `ftc schema spec` prints the schema itself,
for editors that complete and check. `ftc init` writes a first one, `ftc check` says all that is wrong with one.

One key is required: `goal.task`. Unknown keys are errors, with a suggestion. Paths are relative to the file. Numbers
take `8b`, `1.5M` and `12k`. A set of rows is given (`path`) or described (`rows`, `prompt_tokens`, ...), to plan before
it exists.
"""


# --- spec.md ----------------------------------------------------------------------------------------------------------


def spec_page() -> str:
    """Every key with its values, default and meaning."""
    schema: Json = spec_schema()
    definitions: Json = schema["$defs"]
    parts = [SPEC_HEAD, "## The file\n", _table(schema, definitions)]
    for name, value in schema["properties"].items():
        parts += _section(name, _resolved(value, definitions), definitions)
    rows = definitions["source"]
    parts += ["## A set of rows\n", rows["description"] + "\n", _table(rows, definitions)]
    parts += ["## A set of feedback\n", _table(definitions["feedback_part"], definitions)]
    parts += ["## Constraints\n", _words(definitions["constraint"])]
    return "\n".join(parts).rstrip() + "\n"


def _section(name: str, value: Json, definitions: Json, level: int = 2) -> Iterator[str]:
    """A heading, the text, the table of keys, and the same for what lies inside."""
    objects = [each for each in (value, *value.get("anyOf", [])) if each.get("properties")]
    if value.get("oneOf"):
        yield f"{'#' * level} {name}\n"
        yield _words(value)
    if not objects:
        return
    yield f"{'#' * level} {name}\n"
    yield value.get("description", "") + "\n"
    for each in objects:
        yield _table(each, definitions)
        for inner, found in each["properties"].items():
            if "$ref" not in found and found.get("properties"):
                yield from _section(f"{name}.{inner}", found, definitions, level + 1)
        for inner, found in each["properties"].items():
            resolved = _resolved(found, definitions)
            if resolved.get("oneOf"):
                yield f"{'#' * (level + 1)} {name}.{inner}\n"
                yield _words(resolved)


def _resolved(value: Json, definitions: Json) -> Json:
    """The definition that a reference names, under what stands beside the reference."""
    if "$ref" not in value:
        return value
    found: Json = definitions
    for part in value["$ref"].removeprefix("#/$defs/").split("/"):
        found = found[part]
    return {**_resolved(found, definitions), **value}


def _table(value: Json, definitions: Json) -> str:
    """One row a key."""
    lines = ["| key | takes | default | |", "| --- | --- | --- | --- |"]
    for name, found in value["properties"].items():
        each = _resolved(found, definitions)
        default = each.get("default")
        shown = "" if default in (None, "", [], {}) else f"`{json.dumps(default).strip(chr(34))}`"
        lines.append(f"| `{name}` | {_takes(each)} | {shown} | {_cell(each.get('description', ''))} |")
    return "\n".join(lines) + "\n"


def _takes(value: Json) -> str:
    if "oneOf" in value and all("const" in each for each in value["oneOf"]):
        return "a word, below"
    if "enum" in value:
        return " ".join(f"`{each}`" for each in value["enum"])
    if "const" in value:
        return f"`{value['const']}`"
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(_takes(each) for each in value["anyOf"]))
    kinds = value.get("type", "object")
    names = [each for each in ([kinds] if isinstance(kinds, str) else kinds) if each != "null"]
    if "number" in names or "integer" in names:
        return "a number"
    return {"object": "keys", "array": "a list", "string": "text", "boolean": "true or false"}[names[0]]


def _words(value: Json) -> str:
    """The words of a closed vocabulary."""
    rows = [f"| `{each['const']}` | {_cell(each.get('description', ''))} |" for each in value["oneOf"]]
    return "\n".join(["| word | means |", "| --- | --- |", *rows]) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


# --- estimates.md -----------------------------------------------------------------------------------------------------


def estimate_tables() -> dict[str, str]:
    """The tables, by the name of their place in the page."""
    found: Json = json.loads((BENCHMARKS / "estimates" / "results.json").read_text("utf-8"))
    traced: Json = json.loads((BENCHMARKS / "exact" / "results.json").read_text("utf-8"))["summary"]
    return {
        "memory": _spread([row for row in found["memory"] if row["what"].endswith(", all")], suffix=", all"),
        "speed": _spread(found["speed"]),
        "fit": f"{found['fit']['out_of_memory']} published runs ended out of memory; "
        f"{len(found['fit']['said_to_fit'])} of them were said to fit.\n",
        "exact": "\n".join(
            ["| traced | rows | median error | 90th percentile | worst |", "| --- | --- | --- | --- | --- |"]
            + [
                f"| {name} | {row['rows']} | {row['median']:.2%} | {row['p90']:.2%} | {row['max']:.2%} |"
                for name, row in traced.items()
            ]
        )
        + "\n",
        "peers": _peers(found["peers"]),
    }


def _spread(rows: list[Json], suffix: str = "") -> str:
    head = ["| | points | median error | 90th percentile | too low | inside the range |", "| --- " * 6 + "|"]
    body = [
        f"| {row['what'].removesuffix(suffix)} | {row['n']} | {row['median']:.1%} | {row['p90']:.1%} "
        f"| {row['under']:.0%} | {row['inside']:.0%} |"
        for row in rows
    ]
    return "\n".join(head + body) + "\n"


def _peers(rows: dict[str, Json]) -> str:
    head = ["| tool, stack | points | theirs: median, 90th percentile, too low | ftc: the same |", "| --- " * 4 + "|"]
    body = []
    for name, row in rows.items():
        theirs, ours = (
            f"{each['median']:.1%}, {each['p90']:.0%}, {each['under']:.0%}" for each in (row["theirs"], row["ours"])
        )
        body.append(f"| {name} | {row['theirs']['n']} | {theirs} | {ours} |")
    return "\n".join(head + body) + "\n"


def filled(page: str, tables: dict[str, str]) -> str:
    """The page with every table between `<!-- NAME -->` and `<!-- /NAME -->`."""
    for name, table in tables.items():
        before, start, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        if not start or not end:
            raise ValueError(f"no place for {name}")
        page = f"{before}{start}{table}{end}{after}"
    return page


# --- benchmarks/README.md ---------------------------------------------------------------------------------------------


def benchmark_tables() -> dict[str, str]:
    """What was measured, by the name of its place in the page."""
    startup, profile, search, screen, training = (
        json.loads((BENCHMARKS / name / "results.json").read_text("utf-8"))
        for name in ("startup", "profile", "search", "tui", "training")
    )
    return {
        "startup": _columns(
            ["wall ms", "processor ms"],
            {name: (row["wall_ms"], row["cpu_ms"]) for name, row in startup["results"].items()},
        ),
        "profile": _columns(
            ["seconds", "MB/s", "peak MB", "times as long as ftc"],
            {
                f"{name}, {size}": (row["seconds"], row["mb_per_second"], row["peak_mb"], row["times_as_fast"])
                for size, one in profile.items()
                for name, row in one["results"].items()
            },
        ),
        "search": _columns(
            ["milliseconds"],
            {
                name.removesuffix("_ms").replace("_", " "): (row,)
                for name, row in search.items()
                if name.endswith("_ms")
            },
        ),
        "tui": _columns(
            ["median ms", "slowest ms"],
            {name: (row["wall"]["median"], row["wall"]["max"]) for name, row in screen["milliseconds"].items()},
        ),
        "training": _training(training),
    }


def _columns(heads: list[str], rows: dict[str, tuple[Any, ...]]) -> str:
    lines = [f"| | {' | '.join(heads)} |", "| --- " * (len(heads) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(f'{each:,}' if isinstance(each, int | float) else each for each in row)} |"
              for name, row in rows.items()]  # fmt: skip
    return "\n".join(lines) + "\n"


def _training(found: Json) -> str:
    names = {
        "ftc": "`ftc run`, the plan's settings",
        "trl": "TRL's defaults",
        "trl-fp32": "TRL's defaults, without autocast to bf16",
        "plain-ftc": "`ftc run`, settings that both have",
        "plain-trl": "TRL, the same settings",
    }
    table = _columns(
        ["tokens/s", "whole process, s", "peak MiB"],
        {
            name: (round(found[key]["tokens_per_wall_s"]), round(found[key]["wall_s"]), round(found[key]["peak_mib"]))
            for key, name in names.items()
        },
    )
    faster = [found[f"to_the_same_loss_as_{name}"]["wall_s"] for name in ("trl", "trl-fp32")]
    step, settings = found["overhead"], found["settings"]
    return (
        f"{table}\nTo the same held-out loss `ftc run` was {faster[0]:.2f} times as fast as TRL's defaults, and "
        f"{faster[1]:.2f} times as fast as those without autocast. At identical settings a step took "
        f"{step['wall_s_per_step']:+.1%} of wall time and {step['cpu_s_per_step']:+.1%} of processor time. "
        f"{settings['model']}, {settings['steps']} steps, medians of {settings['repeat']} rounds.\n"
    )


def pages() -> dict[Path, str]:
    """Every file that is made here, with its content."""
    estimates, benchmarks = HERE / "estimates.md", BENCHMARKS / "README.md"
    return {
        benchmarks: filled(benchmarks.read_text("utf-8"), benchmark_tables()),
        HERE / "spec.md": spec_page(),
        estimates: filled(estimates.read_text("utf-8"), estimate_tables()),
    }


def main() -> int:
    """Write them, or compare."""
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" not in sys.argv:
        for path in stale:
            path.write_text(pages()[path], encoding="utf-8")
    for path in stale:
        sys.stdout.write(f"{path.name}\n")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
