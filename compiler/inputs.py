"""What a plan is made of, and how the paths of a spec are written in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ftc.advisor.values import Candidate, Facts, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Facts and verdict, with what pins them. `digests` are SHA-256 of `spec` and `catalogue`; `versions` are of the
    training stack.

    `spec_folder` is the way from the plan's folder to the spec's, empty where they are the same: relative paths in a
    plan start where the plan lies.
    """

    facts: Facts
    verdict: Verdict
    digests: Mapping[str, str]
    versions: Mapping[str, str]
    prices_as_of: str
    candidate: Candidate | None  # what is to be run; of prompting, what asking takes
    spec_folder: str = ""

    @property
    def chosen(self) -> Candidate:
        """What is to be run. Raises ValueError where there is nothing."""
        if self.candidate is None:
            raise ValueError(f"{self.verdict.method} cannot be run")
        return self.candidate

    def path(self, written: str) -> str:
        """A path of the spec, as the plan has it. What is no local path (a hub id) stays as it is."""
        if not self.spec_folder or Path(written).is_absolute() or written.startswith("~"):
            return written
        local = "*" in written or (self.facts.spec.folder / written).exists()
        return Path(self.spec_folder, written).as_posix() if local else written
