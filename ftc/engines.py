"""From a plan file to an engine: render, check, write, submit, follow. What `--target`, `--emit` and `--option` do.

Renders through `ftc.compiler.targets`, submits through `ftc.runtime.engines`; prints nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ftc.compiler.plan import Plan
from ftc.compiler.targets import Target, TargetOptions, read_options, render, validate
from ftc.spec.diagnostics import Diagnostic, Refused, errors


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """An engine's files, checked, with everything there is to say about them."""

    target: Target
    options: TargetOptions
    files: Mapping[str, str]
    diagnostics: tuple[Diagnostic, ...]


def rendered(plan: Plan, plan_path: Path, target: Target, words: Iterable[str] = ()) -> Rendered:
    """The files for `target`. Raises Refused (2) where an option, the plan or the result is wrong."""
    options, problems = read_options(target, words)
    if target == "ray" and options.workdir is None:
        options = replace(options, workdir=str(plan_path.resolve().parent))
    files, found = render(plan, plan_path.name, target, options)
    problems += [each for each in found if each not in problems]
    problems += validate(files, target)
    if errors(problems):
        raise Refused(problems, 2)
    return Rendered(target=target, options=options, files=files, diagnostics=tuple(problems))


def emit(result: Rendered, folder: Path) -> list[Path]:
    """Write the files into `folder`, each whole."""
    from ftc.spec.files import write_whole

    paths = []
    for name, content in result.files.items():
        write_whole(folder / name, content.encode())
        paths.append(folder / name)
    return paths


def run_on(result: Rendered, plan_path: Path, *, say: Callable[[str], None], on_job: Callable[[Any], None]) -> int:
    """Submit from the plan's folder and follow the job to its end; the exit code is that of `ftc run`, as far as known.

    An interrupt raises KeyboardInterrupt and leaves the job with the engine.
    """
    from ftc.runtime.engines import check, follow, submit

    workdir = plan_path.resolve().parent
    with tempfile.TemporaryDirectory(prefix="ftc-") as scratch:
        folder = Path(scratch)
        emit(result, folder)
        if problems := check(result.target, folder, workdir):
            raise Refused(problems, 1)
        job = submit(result.target, folder, workdir, secrets=result.options.secrets, say=say)
    on_job(job)
    for changed in follow(job, workdir):
        job = changed
        on_job(job)
    if job.state == "done":
        return 0
    if job.exit_code in (2, 3, 4, 130):
        return job.exit_code
    message = f"{result.target}: {job.id} ended as {job.said or job.state}"
    raise Refused([Diagnostic(code="R742", message=message)], 1)
