"""The codes that compiling and reading a plan can end with, for `ftc explain`."""

from __future__ import annotations

CODES: dict[str, tuple[str, str]] = {
    "M901": (
        "the answer is not a training run",
        "The verdict is prompt, rag, needs-data or infeasible. It says what to do instead and what would change it; "
        "there is nothing that `ftc run` could train. `ftc advise` shows the whole reasoning.",
    ),
    "M902": (
        "the runtime has no stage for this method",
        "The advice stands, but no stage of the runtime carries this method out. Nothing is written, so that nothing "
        "is paid for. `ftc export` or another tool can take it from here.",
    ),
    "M903": (
        "described data cannot be trained on",
        "`data` describes rows that do not exist yet. Advice and estimates work from a description; a plan that runs "
        "needs `path`.",
    ),
    "R001": ("no such plan", "`ftc run` takes the file that `ftc compile` writes (`ftc.plan.json` by default)."),
    "R002": ("the plan is not readable as JSON", "The file is cut off or was edited. `ftc compile` writes it anew."),
    "R003": (
        "the plan does not follow its schema",
        "`ftc schema plan` prints the language of plans. Change the spec and compile again rather than edit a plan.",
    ),
    "R004": (
        "the plan's language is of another generation",
        "The plan was written by a version of ftc whose plans this one does not read. `ftc compile` writes it anew.",
    ),
}
