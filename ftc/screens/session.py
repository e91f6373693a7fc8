"""The planner's session: the spec as text, every step of changing it, and the advice on where it stands.

Knows no screen. A change is made at once to the text and checked (milliseconds); `settle` then decides again, and is a
pure function that a worker may call: it reads data only where the data named by the spec is another one. Nothing is
written to disk but by `save` and `approve`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftc.api import PLAN_FILE, Advice, compile_advice, load
from ftc.spec.diagnostics import Diagnostic, Refused, errors

if TYPE_CHECKING:
    from ftc.advisor.values import Facts, Verdict
    from ftc.compiler.plan import Plan
    from ftc.spec.load import Loaded
    from ftc.spec.model import Spec

REMEMBERED = 64  # advices kept, so that undo and redo need not decide again; each some 100 kB


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A spec that is sound and waits for its advice. `facts` is None where data has to be read first."""

    loaded: Loaded
    facts: Facts | None
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def digest(self) -> str:
        """Which text it is about."""
        return self.loaded.digest


def settle(pending: Pending) -> Advice:
    """The whole advice on a sound spec; reads the data first where that is needed. Raises Refused."""
    from ftc.advisor.decide import decide

    return _decided(looked(pending), decide)


def settle_at_once(pending: Pending) -> Advice:
    """The decision alone, a few milliseconds where the facts are known: what lost and what would change it is left to
    `settle`."""
    from ftc.advisor.decide import decide_at_once

    return _decided(looked(pending), decide_at_once)


def looked(pending: Pending) -> Pending:
    """The same with its facts. Raises Refused."""
    return pending if pending.facts is not None else observed(pending.loaded)


def _decided(pending: Pending, decide: Callable[[Facts], Verdict]) -> Advice:
    if pending.facts is None:
        raise Refused(pending.diagnostics)
    verdict = decide(pending.facts)
    return Advice(loaded=pending.loaded, facts=pending.facts, verdict=verdict, diagnostics=pending.diagnostics)


def observed(loaded: Loaded, before: Advice | None = None) -> Pending:
    """The facts of a sound spec, with the profile of `before`, so that no data is read. Raises Refused."""
    from ftc.advisor.observe import observe

    if loaded.spec is None:
        raise Refused(loaded.diagnostics)
    facts, found = observe(loaded.spec, known=before.facts.profile if before else None)
    diagnostics = (*loaded.diagnostics, *(loaded.locate(each) for each in found))
    if facts is None or errors(diagnostics):
        raise Refused(diagnostics)
    if before:
        diagnostics += tuple(each for each in before.diagnostics if each.code.startswith("D"))
    return Pending(loaded=loaded, facts=facts, diagnostics=diagnostics)


def reads_data(spec: Spec) -> bool:
    """True where the spec names data that there is, rather than describing it."""
    data = spec.data
    sources = (*data.demonstrations, *data.corpus, *data.prompts, *(data.feedback.sources if data.feedback else ()))
    return any(
        not each.described for each in (*sources, *((data.evaluation.source,) if data.evaluation.source else ()))
    )


def same_data(one: Spec, other: Spec) -> bool:
    """True where a profile of the one is a profile of the other: same rows, same split, same way of counting tokens."""
    from ftc.advisor.models import tokenizer_file

    alike = (one.data, one.seed, one.goal.language, one.folder) == (
        other.data, other.seed, other.goal.language, other.folder,
    )  # fmt: skip
    return alike and (
        one.model.base == other.model.base
        or tokenizer_file(one.model.base, one.folder) == tokenizer_file(other.model.base, other.folder)
    )


class Session:
    """One spec under change. `text` is where it stands, `advice` the last advice that was settled.

    Making one raises Refused where the spec is wrong.
    """

    def __init__(self, path: Path, loaded: Loaded | None = None) -> None:
        self.path = path
        self.first = loaded or load(path)
        self.advice: Advice | None = None
        self.before: Advice | None = None  # the advice ahead of the last change, to show what moved
        self._saved = self.first.text
        self._steps: list[str] = [self.first.text]
        self._at = 0
        self._settled: dict[str, Advice] = {}
        self._held: Advice | None = None

    # --- where it stands ----------------------------------------------------------------------------------------

    @property
    def text(self) -> str:
        """The spec as it stands."""
        return self._steps[self._at]

    @property
    def unsaved(self) -> bool:
        """True where the text is not what lies on disk."""
        return self.text != self._saved

    @property
    def can_undo(self) -> bool:
        """True where there is a step to take back."""
        return self._at > 0

    @property
    def can_redo(self) -> bool:
        """True where a step was taken back."""
        return self._at + 1 < len(self._steps)

    def saved_values(self) -> Mapping[str, Any]:
        """Every value on disk, by dotted key."""
        return values(self._saved)

    def changes(self) -> dict[str, tuple[Any, Any]]:
        """Dotted key -> (value on disk, value now), for what is not saved yet."""
        return differing(values(self._saved), values(self.text))

    # --- steps --------------------------------------------------------------------------------------------------

    def start(self) -> Pending:
        """The spec as it was opened; its data, if any, is still to be read. Raises Refused where it is wrong."""
        return self._pending(self.first)

    def change(self, changes: Mapping[str, Any]) -> Pending | None:
        """Set dotted keys (None takes one out). None where nothing moved; raises Refused where it would be wrong."""
        from ftc.spec.write import edit

        return self.rewrite(edit(self.text, {**_let_go_with(changes, values(self.text)), **changes}))

    def rewrite(self, text: str) -> Pending | None:
        """Put another text in place. None where it is the same; raises Refused, and stays, where it would be wrong."""
        if text == self.text:
            return None
        pending = self._pending(self._load(text))
        self._steps[self._at + 1 :] = [text]
        self._at += 1
        return pending

    def undo(self) -> Pending | None:
        """Take the last step back."""
        return self._go(self._at - 1) if self.can_undo else None

    def redo(self) -> Pending | None:
        """Take a step again that was taken back."""
        return self._go(self._at + 1) if self.can_redo else None

    @property
    def place(self) -> int:
        """Where in its steps the session stands, for `squash` and `back_to`."""
        return self._at

    def hold(self) -> None:
        """Compare with the advice as it stands now, whatever happens until `let_go`: many small steps, one change."""
        self._held = self.advice

    def let_go(self) -> None:
        """Compare with the last step again."""
        self._held = None

    def squash(self, place: int) -> None:
        """Make one step of everything after `place`."""
        if place < self._at:
            self._steps[place + 1 :] = [self.text] if self.text != self._steps[place] else []
            self._at = len(self._steps) - 1

    def back_to(self, place: int) -> Pending | None:
        """Drop every step after `place`."""
        pending = self._go(place) if place != self._at else None
        del self._steps[place + 1 :]
        return pending

    def known(self, pending: Pending) -> Advice | None:
        """The advice on that text, where it was settled before."""
        return self._settled.get(pending.digest)

    def preview(self, advice: Advice) -> bool:
        """Take a decision whose surroundings are still being worked out. False where the text has moved on."""
        if advice.loaded.text != self.text:
            return False
        self._compare(advice)
        return True

    def accept(self, advice: Advice) -> bool:
        """Take the whole advice that a worker settled. False where the text has moved on meanwhile."""
        self._settled[advice.loaded.digest] = advice
        while len(self._settled) > REMEMBERED:
            self._settled.pop(next(iter(self._settled)))
        if advice.loaded.text != self.text:
            return False
        self._compare(advice)
        return True

    def _compare(self, advice: Advice) -> None:
        """From now on this is the advice, and what stood for another text is what it is compared with."""
        if self.advice is not None and self.advice.loaded.digest != advice.loaded.digest:
            self.before = self._held or self._settled.get(self.advice.loaded.digest, self.advice)
        self.advice = advice

    def take_back(self, pending: Pending) -> None:
        """Forget a step whose advice was refused: data that could not be read."""
        if self.text == pending.loaded.text and self.can_undo:
            del self._steps[self._at :]
            self._at -= 1

    def _go(self, at: int) -> Pending:
        pending = self._pending(self._load(self._steps[at]))
        self._at = at
        return pending

    def _load(self, text: str) -> Loaded:
        from ftc.spec.load import load_text

        loaded = load_text(text, str(self.path), self.path.parent)
        if loaded.spec is None:
            raise Refused(loaded.diagnostics)
        return loaded

    def _pending(self, loaded: Loaded) -> Pending:
        """Its facts at once, unless data has to be read for them."""
        spec = loaded.spec
        if spec is None:
            raise Refused(loaded.diagnostics)
        if not reads_data(spec):
            return observed(loaded)
        if self.advice is not None and same_data(spec, self.advice.spec):
            return observed(loaded, self.advice)
        return Pending(loaded=loaded, facts=None)

    # --- results ------------------------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """The plan for the advice as it stands, which has to be whole. Raises Refused where there is nothing to run."""
        if self.advice is None or not self.whole:
            raise Refused([Diagnostic(code="S101", message=f"the advice on {self.path} is still being worked out")])
        return compile_advice(self.advice)

    @property
    def whole(self) -> bool:
        """True where everything about the text as it stands has been worked out."""
        return self.advice is not None and self.advice.loaded.digest in self._settled

    @property
    def plan_path(self) -> Path:
        """Where the plan goes: beside the spec, as `ftc compile` would put it."""
        return self.path.parent / PLAN_FILE

    def moved_on_disk(self) -> bool:
        """True where someone else has written to the spec since it was opened."""
        from ftc.spec.load import load_text

        try:
            content = self.path.read_bytes()
        except OSError:
            return True
        return load_text(content, str(self.path), self.path.parent).text != self._saved

    def save(self) -> None:
        """Write the spec, comments kept. Raises OSError."""
        from ftc.spec.files import write_whole

        write_whole(self.path, self.text.encode())
        self._saved = self.text

    def approve(self) -> Path:
        """Save the spec where it was changed and write the plan, which names the spec by its hash. Raises OSError."""
        from ftc.spec.files import write_whole

        plan = self.plan()
        if self.unsaved:
            self.save()
        write_whole(self.plan_path, plan.to_bytes())
        return self.plan_path


def _let_go_with(changes: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """What describes a value that is being replaced and would be wrong of the new one."""
    belongs = {
        "hardware.gpu": ("hardware.memory_gib",),
        "model.base": tuple(
            f"model.{name}"
            for name in ("parameters", "active_parameters", "kind", "context", "licence", "gated", "revision")
        ),
    }
    gone = [each for key in changes for each in belongs.get(key, ()) if each in now and now.get(key) is not None]
    return {key: None for key in gone if changes.get(key.rpartition(".")[0]) is None}


# --- values by dotted key -----------------------------------------------------------------------------------------


@lru_cache(maxsize=32)
def values(text: str) -> Mapping[str, Any]:
    """Every value that a spec's text sets, by dotted key, in the order of the file; lists of words as one value."""
    from ftc.spec.language import read
    from ftc.spec.yaml_tree import Unreadable, read_tree

    try:
        root = read_tree(text)
    except Unreadable:
        return {}
    found: dict[str, Any] = {}
    _flatten("", read(root).value if root is not None else None, found)
    return found


def _flatten(key: str, value: Any, found: dict[str, Any]) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _flatten(f"{key}.{name}" if key else str(name), inner, found)
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        for index, inner in enumerate(value):
            _flatten(f"{key}[{index}]", inner, found)
    elif key:
        found[key] = value


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Keys whose values differ, with both; None where one side has none."""
    keys = dict.fromkeys((*before, *after))
    return {key: (before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)}
