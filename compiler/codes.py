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
    # M902 stays free: a code never comes to mean something else.
    "M903": Code(
        title="described data cannot be trained on",
        checks="The rows that the method works on are given by `path`.",
        why="Advice and estimates work from a description; a run needs rows.",
        fix="Give the `path` that the message names. `ftc advise` and `ftc estimate` go on working without it.",
    ),
    "M904": Code(
        title="nothing says how an answer is checked",
        checks="For policy optimisation against a checkable reward: a reward function, or rows with answers or tests.",
        why="Without a check every answer is worth the same, and nothing is learned.",
        fix="Give `data.reward.function: rewards.py:score`, or rows with an `answer` or `tests` column.",
    ),
    "M905": Code(
        title="no machine holds a model",
        checks="For prompting: the model fits on one of the machines, for money that is there.",
        why="Prompts are chosen by asking the model, on the same rows on which it is scored.",
        fix="`ftc advise` shows what fits; set `hardware` to what you have or would rent.",
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
    "R701": Code(
        title="an engine's option cannot be used",
        checks="Each `--option KEY=VALUE` is known to the engine and has only characters that its place can hold.",
        why="Header lines of batch scripts and names in manifests know no quoting: a stray character changes what "
        "the engine does.",
        fix="docs/engines.md lists the options of each engine; the message has the pattern.",
    ),
    "R702": Code(
        title="a name cannot enter the engine's files",
        checks="File names of the plan have no control characters and nothing that the engine would expand.",
        why="A name that the engine reads as more than a name would run or send something that nobody approved.",
        fix="Rename the file, in the spec too, and compile again.",
    ),
    "R703": Code(
        title="files that have to be there already",
        checks="Data and models that the engine does not carry along.",
        why="Nodes read the same paths as the plan has. What is not there stops the run at its first stage.",
        fix="Put the files where the message says, relative to the plan's folder.",
    ),
    "R704": Code(
        title="secrets come from the environment",
        checks="Secrets are named; this engine hands on what its own environment holds.",
        why="No token is ever written into a file.",
        fix="Set the variable where the message says.",
    ),
    "R705": Code(
        title="nothing brings ftc to the nodes",
        checks="An image, or a `setup` line that installs ftc.",
        why="`ftc run` is what executes on each node.",
        fix="`--option image=...` or `--option setup='...'`.",
    ),
    "R706": Code(
        title="the run folder has to be shared and has to stay",
        checks="All nodes see one run folder, and it outlives the machine.",
        why="The journal and the checkpoints in it are what a job continues from after a preemption.",
        fix="The option that the message names: a shared folder, a volume, a bucket.",
    ),
    "R707": Code(
        title="the plan is too large for the engine",
        checks="The plan fits into a Kubernetes ConfigMap (1 MiB).",
        why="The API server refuses larger ones.",
        fix="Fewer labels, or another engine.",
    ),
    "R708": Code(
        title="a plan of several nodes on one machine",
        checks="The plan's number of nodes is one where the target is `local`.",
        why="Memory and time were estimated for several nodes.",
        fix="Another target, or `hardware.nodes: 1` and a new plan.",
    ),
    "R709": Code(
        title="a rendered file does not follow the engine's schema",
        checks="The files against the engine's own schema, unknown fields refused.",
        why="The engine would refuse them, or ignore what it does not know.",
        fix="An option has a value that the engine does not take; the message has the key.",
    ),
    "R720": Code(
        title="something that the other tool's configuration cannot say",
        checks="Each argument of the plan has a counterpart in the exported configuration.",
        why="A run from the exported file differs from the plan there.",
        fix="Read the list before comparing results; `ftc run` carries out the plan as it is.",
    ),
    "R721": Code(
        title="the other tool has no such method",
        checks="The tool trains by the plan's method.",
        why="A configuration that trains something else would be worse than none.",
        fix="Export to one of the tools that the message names.",
    ),
    "R730": Code(
        title="something of the configuration that a spec does not say",
        checks="Each key of the imported configuration has a counterpart.",
        why="ftc decides it by rule, or does not do it.",
        fix="Look at the note; `overrides` in the spec sets hyper-parameters.",
    ),
    "R731": Code(
        title="the configuration cannot be read",
        checks="The file is YAML or JSON with a mapping in it.",
        why="There is nothing to translate.",
        fix="The message has the line.",
    ),
    "R732": Code(
        title="whose configuration it is cannot be told",
        checks="Keys that only axolotl, LLaMA-Factory or TRL have.",
        why="The same key means different things in them.",
        fix="`--from axolotl`, `--from llamafactory` or `--from trl`.",
    ),
    "R733": Code(
        title="the spec is there already",
        checks="`ftc import` writes over no file unasked.",
        why="A spec that somebody wrote is not to be lost.",
        fix="`--force`, or another name with `-o`.",
    ),
    "R740": Code(
        title="the engine's client is not installed",
        checks="`sbatch`, `sky`, `kubectl` or `ray` is on the PATH.",
        why="ftc submits through the engine's own client, with the caller's own rights.",
        fix="Install the client, or take the files that `ftc compile --target ... --emit DIR` writes to where it is.",
    ),
    "R741": Code(
        title="the engine refused the job",
        checks="The client's exit code on submission.",
        why="Its message follows; nothing runs.",
        fix="Usually an option: partition, image, namespace, credentials.",
    ),
    "R742": Code(
        title="the job ended without success",
        checks="The engine's state of the job.",
        why="The journal in the run folder says how far it came.",
        fix="The log that the message names; submitting again continues from the last checkpoint.",
    ),
}
