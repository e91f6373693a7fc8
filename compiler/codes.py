"""The codes that compiling and reading a plan can end with, for `ftc explain`."""

from __future__ import annotations

from ftc.spec.codes import Code

CODES: dict[str, Code] = {
    "M901": Code(
        title="the answer is not a training run",
        checks="The verdict is a method that trains something.",
        why="For prompt, rag, needs-data and infeasible there is nothing that `ftc run` could train; the verdict says "
        "what to do instead and what would change it.",
        fix="`ftc advise` shows the whole reasoning and the nearest plan that works.",
    ),
    "M902": Code(
        title="the runtime has no stage for this method",
        checks="Every stage that the method needs exists in the runtime.",
        why="The advice stands, but nothing here carries it out. Nothing is written, so that nothing is paid for.",
        fix="Set `method:` to one of the methods named in the message to train that way instead.",
    ),
    "M903": Code(
        title="described data cannot be trained on",
        checks="The data that the method trains on is given by `path`.",
        why="Advice and estimates work from a description; a run needs rows.",
        fix="Give `data.demonstrations.path`. `ftc advise` and `ftc estimate` go on working without it.",
    ),
    "R001": Code(
        title="no such plan",
        checks="The plan file exists.",
        why="`ftc run` accepts nothing but a plan.",
        fix="`ftc compile` writes one, `ftc.plan.json` by default.",
    ),
    "R002": Code(
        title="the plan is not readable as JSON",
        checks="The plan file is whole, and JSON.",
        why="A file that was cut off or edited by hand may say something else than what was approved.",
        fix="`ftc compile` writes it anew; the same inputs give the same bytes.",
    ),
    "R003": Code(
        title="the plan does not follow its schema",
        checks="Every field is there, has its type, and is known (`ftc schema plan` prints the language).",
        why="The runtime executes exactly what the plan says and fills nothing in.",
        fix="Change the spec and compile again rather than edit a plan.",
    ),
    "R004": Code(
        title="the plan's language is of another generation",
        checks="`schema` is the generation that this ftc reads.",
        why="A field may mean something else there.",
        fix="`ftc compile` writes the plan anew.",
    ),
}
