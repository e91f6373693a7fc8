"""What the data is, for people: one block a role."""

from __future__ import annotations

from ftc.spec.model import Spec
from ftc.spec.profile import DataProfile, Lengths, SetProfile
from ftc.views.numbers import count
from ftc.views.output import console

CLASSES_SHOWN = 3


def show_profile(spec: Spec, profile: DataProfile) -> None:
    """Rows, lengths, classes and duplicates of every role, and the split."""
    from rich.text import Text

    out = console()
    sets = (profile.demonstrations, profile.feedback and profile.feedback.set, profile.corpus, profile.prompts)
    for each in (*sets, profile.evaluation):
        if each:
            out.print(Text(each.role, style="bold"))
            for name, value in _rows(each):
                out.print(f"  {name:<12}{value}")
    if profile.held_out_rows:
        out.print(
            f"{count(profile.train_rows)} rows to train on, {count(profile.held_out_rows)} held out"
            + (f", {profile.overlap} of them also among the training rows" if profile.overlap else "")
        )
    for kind, rows in profile.personal_data.items():
        out.print(f"  {kind:<12}{count(rows)} rows")
    out.print(f"\n{spec.name}: sound. Next: `ftc advise`.")


def _rows(each: SetProfile) -> list[tuple[str, str]]:
    rows = [
        (
            "rows",
            f"{count(each.rows_read)} read = {count(each.rows)} used + {count(each.rows_reported)} reported"
            if not each.described
            else f"{count(each.rows)} (described)",
        ),
        ("format", each.format),
    ]
    for name, lengths in (("prompt", each.prompt), ("completion", each.completion), ("sequence", each.sequence)):
        if lengths:
            rows.append((name, _lengths(lengths)))
    how = f"estimated, within {each.token_error:.0%}" if each.token_error else each.tokenizer
    rows.append(("tokens", f"counted by {how}" if not each.token_error else how))
    if each.classes:
        most = ", ".join(f"{label} ({number})" for label, number in each.classes[:CLASSES_SHOWN])
        least = ", ".join(f"{label} ({number})" for label, number in each.classes[-CLASSES_SHOWN:])
        rows.append(("classes", f"{len(each.classes)}; most {most}; least {least}"))
    if each.languages:
        rows.append(("languages", ", ".join(f"{name} {share:.0%}" for name, share in each.languages[:5])))
    if each.exact_duplicates or each.near_duplicates:
        rows.append(("duplicates", f"{count(each.exact_duplicates)} exact, {count(each.near_duplicates)} near"))
    if each.loss_share is not None:
        rows.append(("loss", f"{each.loss_share:.1%} of tokens carry it"))
    return rows


def _lengths(lengths: Lengths) -> str:
    return f"median {lengths.p50:,}, p99 {lengths.p99:,}, longest {lengths.max:,} tokens; {count(lengths.total)} in all"
