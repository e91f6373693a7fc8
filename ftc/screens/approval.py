"""What pressing approve or run would do, said before it is done: files written or overwritten, time, money, foreign
code."""

from __future__ import annotations

from dataclasses import dataclass

from ftc.screens import figures
from ftc.screens.editing import text_of
from ftc.screens.session import Session
from ftc.views.numbers import duration_range, money_range


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A question, or none where `said` is empty. `writes` is true where a file would change."""

    title: str
    said: tuple[str, ...]
    writes: bool


def approval(session: Session, *, run: bool) -> Approval:
    """Raises Refused where there is no plan to approve."""
    plan = session.plan()
    path = session.plan_path
    there = path.is_file()
    same = there and path.read_bytes() == plan.to_bytes()
    said: list[str] = []
    if session.unsaved:
        said.append(f"{session.path}: {len(session.changes())} changes are saved, comments kept")
        said += [
            f"  {key}: {text_of(was) or '-'} → {text_of(now) or '-'}" for key, (was, now) in session.changes().items()
        ]
        if session.moved_on_disk():
            said.append("  it was changed by someone else since it was opened; that is overwritten")
    if there and not same:
        said.append(f"{path}: overwritten with plan {plan.hash[:8]}; d shows what differs")
    advice = session.advice
    if advice is not None and advice.spec.model.trust_remote_code:
        said.append(f"model.trust_remote_code: code that comes with {advice.spec.model.base} will be run here")
    if run:
        said.append(
            f"the run takes {duration_range(plan.estimate['hours'])} and costs {money_range(plan.estimate['usd'])}"
        )
        said.append(f"in {path.parent / 'runs' / plan.run_name}; closing the screen does not stop it")
    title = f"Run plan {plan.hash[:8]}?" if run else f"Write plan {plan.hash[:8]}?"
    return Approval(
        title=title, said=tuple(figures.cut(each, 160) for each in said), writes=session.unsaved or not same
    )
