"""How a rule speaks. It gives the branch or the warning, the reason and the numbers; the registry adds the rest.

A rule's docstring is its page in the manual: a title (for a step of the path, its question), then the headings of
`HEADINGS`, each followed by indented text. The evidence that a finding carries is read from there, so that it is
written once.
"""

from __future__ import annotations

from ftc.advisor.values import Finding
from ftc.spec.model import Scalar

HEADINGS = ("What it checks", "Why it matters", "When it is wrong", "Evidence", "Example")
THUMB = "Rule of thumb"  # an evidence line that opens so is ours, and says so


def answer(branch: str, because: str, **numbers: Scalar) -> Finding:
    """The branch that a step of the path takes."""
    return Finding(code="", question="", answer=branch, because=because, numbers=numbers)


def warn(because: str, **numbers: Scalar) -> Finding:
    """A warning; which flag it raises stands in the registry."""
    return Finding(code="", question="", answer="", because=because, numbers=numbers)
