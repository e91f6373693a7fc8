"""The codes that a run can end with or remark, for `ftc explain R310`. R0xx are about the plan (compiler/codes.py).

R1xx stop a run before it starts, R2xx end or interrupt it, R3xx are answers that a stage gave to trouble, R4xx are
tripwires: nothing broke, but the result may not be what was meant.
"""

from __future__ import annotations

from collections.abc import Sequence

from ftc.spec.codes import Code
from ftc.spec.diagnostics import Diagnostic, Severity

CODES: dict[str, Code] = {
    "R101": Code(
        title="this plan is being run already",
        checks="No other process runs the same plan in the same folder.",
        why="Two runs would write the same checkpoints.",
        fix="Wait for it, watch it with `ftc watch`, or give another folder with `--out`.",
    ),
    "R102": Code(
        title="the run's folder cannot be written",
        checks="The folder under `--out` can be made and written.",
        why="A run that cannot keep its journal could not be continued.",
        fix="Give a folder that you may write with `--out`.",
    ),
    "R103": Code(
        title="the plan has drifted",
        checks="Data files, model and libraries are what they were when the plan was compiled.",
        why="What was reviewed and estimated is not what would run.",
        fix="`ftc compile` again, or `ftc run --accept-drift` to run in spite of it.",
    ),
    "R104": Code(
        title="the training stack is not installed",
        checks="torch, transformers, trl, peft, datasets and accelerate can be imported.",
        why="Planning needs none of them; running does.",
        fix="pip install 'finetune-compiler[train]'",
    ),
    "R105": Code(
        title="the plan has a stage that this ftc cannot run",
        checks="Every stage of the plan has a module in the runtime.",
        why="Nothing pretends: a plan is run as it stands or not at all.",
        fix="Update ftc, or compile the plan with this version.",
    ),
    "R106": Code(
        title="not enough disk space",
        checks="The disk has room for the checkpoints, the model and its export.",
        why="A disk that fills up in the middle ends a run that was paid for.",
        fix="Free the space that the message names, or give a folder on another disk with `--out`.",
    ),
    "R107": Code(
        title="the model cannot be loaded",
        checks="The base model's files are at hand, on the hub or in the folder, and have the form that transformers "
        "loads (safetensors; no pickle).",
        why="Without it there is nothing to train.",
        fix="Check the id, the network, and for gated models `hf auth login`. A folder needs config.json, a tokenizer "
        "and *.safetensors.",
    ),
    "R108": Code(
        title="a data file cannot be used any more",
        checks="Every data file of the plan is there and holds rows of the format that was recognised.",
        why="It vanished or changed after the plan was compiled.",
        fix="Put it back, or `ftc compile` again.",
    ),
    "R109": Code(
        title="the journal belongs to something else",
        checks="`events.jsonl` in the run's folder can be read and was written for this plan.",
        why="Continuing from another plan's state would mix two runs.",
        fix="`ftc run --fresh` begins anew and keeps the old folder beside.",
    ),
    "R110": Code(
        title="a spot of the journal is garbled",
        checks="Every line of `events.jsonl` is an event.",
        why="A kill or a disk error cut it. What it said is done again where that is needed.",
        fix="Nothing to do.",
    ),
    "R111": Code(
        title="the endpoint does not answer",
        checks="The OpenAI-compatible endpoint of `model.base: openai:NAME` answers.",
        why="It is asked again where it is busy; a refusal (a wrong key, an unknown model) ends the stage.",
        fix="Check OPENAI_BASE_URL and OPENAI_API_KEY in the environment and the model's name; `ftc run` goes on.",
    ),
    "R112": Code(
        title="no prompt fits into the context",
        checks="A question, an instruction and an answer fit into the context of the model.",
        why="A prompt that is cut off asks something else.",
        fix="Take a model with a longer context, or shorten `goal.description` and the rows.",
    ),
    "R113": Code(
        title="the plan runs on more nodes than these",
        checks="The nodes that the plan spreads a stage over have been started: the engine says so to each of them.",
        why="A stage of several nodes waits for all of them; alone it would wait for nobody.",
        fix="`ftc run --target slurm` (or kubernetes, skypilot, ray) starts them; or compile for one node.",
    ),
    "R114": Code(
        title="a tracker cannot be reported to",
        checks="Each name of `--report-to` is tensorboard, wandb, mlflow or trackio, and its package is installed.",
        why="A run whose curves were wanted somewhere, and did not arrive there, would have to be repeated.",
        fix="pip install the package that the message names, or leave it out: report.html is made in any case.",
    ),
    "R201": Code(
        title="a stage failed",
        checks="Every stage ends by itself and without an error.",
        why="The message has the reason; the log has everything that the stage printed.",
        fix="Read the log that the message names, put the cause right, and `ftc run` again: finished stages are kept.",
    ),
    "R202": Code(
        title="interrupted",
        checks="Nobody stopped the run (Ctrl-C, SIGTERM, a preempted machine).",
        why="The stage was asked to write a checkpoint first.",
        fix="`ftc run` continues from it.",
    ),
    "R203": Code(
        title="a stage was killed",
        checks="No process of the run is ended from outside.",
        why="Something sent it a signal that it cannot answer; often the system, for lack of memory.",
        fix="`ftc run` continues from the last checkpoint. See `dmesg` for an out-of-memory kill.",
    ),
    "R204": Code(
        title="a stage hung",
        checks="Every stage says something at least every half hour.",
        why="A deadlock or a lost file system would otherwise cost money until somebody looks.",
        fix="`ftc run` continues from the last checkpoint; FTC_STALL_SECONDS sets another limit.",
    ),
    "R205": Code(
        title="out of memory",
        checks="The stage fits in memory with a micro-batch of one row.",
        why="Halving the micro-batch at the same effective batch has been tried down to one row.",
        fix="Set a shorter `max_length`, `checkpointing: true` or `method: sft-qlora`, and compile again.",
    ),
    "R206": Code(
        title="the loss is not a number",
        checks="The loss of every step is finite.",
        why="The weights are ruined from that step on. The run went back to the last good checkpoint with half the "
        "learning rate once, and it happened again.",
        fix="Look at the rows that the message names; lower `overrides.learning_rate`.",
    ),
    "R207": Code(
        title="the disk is full",
        checks="Checkpoints and results can be written.",
        why="Nothing more can be kept. The last checkpoint is whole.",
        fix="Free some space and `ftc run` again; it continues.",
    ),
    "R208": Code(
        title="the budget is used up",
        checks="The run stays within `budget.hours` and `budget.usd`.",
        why="The budget is a ceiling. Training stopped with a checkpoint, and the model so far was exported.",
        fix="Raise the budget in the spec and compile again, or use the model as it is.",
    ),
    "R209": Code(
        title="the goal was missed",
        checks="`goal.success` is reached on the held-out rows.",
        why="The run is done and the model is there, but it is not as good as was asked for.",
        fix="The report shows samples and intervals; more or cleaner data helps more often than more epochs.",
    ),
    "R210": Code(
        title="nothing carries loss",
        checks="At least one token of the training rows is learned from.",
        why="All labels are masked: completions are empty, or prompts alone fill `max_length`.",
        fix="Raise `overrides.max_length`, or look at the completions.",
    ),
    "R221": Code(
        title="the reward cannot be computed",
        checks="The reward's file, expression or schema can be loaded, and judging an answer raises nothing.",
        why="Without a reward there is nothing to optimise. The message has the error and the row.",
        fix="Put the function right; it is called as `score(prompt, completion, answer=None, **row)`.",
    ),
    "R222": Code(
        title="the reward hung",
        checks="A batch of answers is judged within the seconds that the plan gives it.",
        why="A reward that hangs would cost as much as one that computes. Answers may be anything: an expression that "
        "goes back and forth over a long one never ends.",
        fix="Make the function faster, or end it by itself where an answer is strange.",
    ),
    "R223": Code(
        title="the reward died or ran out of memory",
        checks="The process that judges answers stays alive and within its memory.",
        why="It was ended from outside, by a fault in code that it calls, or by its limit of memory.",
        fix="Look at the answer that the message names; let the function hold less at a time.",
    ),
    "R224": Code(
        title="the reward is no number",
        checks="The function returns one finite number for every answer (True and False count as 1 and 0).",
        why="What is not a number cannot be compared.",
        fix="Return a float on every path of the function; 0.0 for an answer that earns nothing.",
    ),
    "R225": Code(
        title="the reward reached for what it may not",
        checks="The function reads only Python itself and its own folder, writes only in its temporary folder, and "
        "uses no network and no other processes.",
        why="A reward may come from a stranger, and the answers that it judges come from a model.",
        fix="Compute the reward from the answer and its row; put word lists and the like beside the function's file.",
    ),
    "R226": Code(
        title="the reward model ranks too poorly",
        checks="The reward model ranks held-out pairs at least as well as `reward.least_accuracy` says.",
        why="A policy learns whatever is rewarded. What ranks like a coin rewards noise.",
        fix="Give more or cleaner pairs (`ftc annotate`), a larger model, or lower `overrides.reward.least_accuracy` "
        "knowingly.",
    ),
    "R227": Code(
        title="a step does not hold whole groups of answers",
        checks="The answers of one step (micro-batch, times accumulation, times devices) are a multiple of the group.",
        why="An answer is compared with the others to the same prompt.",
        fix="Set `overrides.micro_batch` and `overrides.grpo.group` to powers of two.",
    ),
    "R211": Code(
        title="the steps that were measured put the run over the budget",
        checks="With `--probe`: by a few real steps, the whole run stays within `budget.hours` and `budget.usd`.",
        why="It is known before the money is spent. A checkpoint was written.",
        fix="Raise the budget, set fewer epochs or a smaller model and compile again; `ftc run` without `--probe` goes "
        "on until the budget is used up.",
    ),
    "R301": Code(
        title="out of memory, tried again with half the micro-batch",
        checks="A step fits in memory.",
        why="The accumulation is doubled, so that the effective batch and the result stay as planned.",
        fix="Nothing to do. To save the attempt next time, set `overrides.micro_batch` to the smaller value.",
    ),
    "R302": Code(
        title="the loss became not a number, went back to the last good checkpoint",
        checks="The loss of every step is finite.",
        why="The learning rate is halved, once.",
        fix="Look at the rows that the message names.",
    ),
    "R303": Code(
        title="a half-written checkpoint was passed over",
        checks="Every checkpoint has all its files in full length.",
        why="The run was killed while it was being written; the one before it is used.",
        fix="Nothing to do.",
    ),
    "R401": Code(
        title="rows were dropped",
        checks="Every row read is trained on or held out.",
        why="Rows that cannot be used are counted, never dropped in silence.",
        fix="`ftc check` names them; `ftc check --fix OUT` writes a cleaned copy.",
    ),
    "R402": Code(
        title="rows were truncated",
        checks="Every row fits into `max_length`.",
        why="What is cut off is not learned; where it is the end of the answer, the model does not learn to stop.",
        fix="Raise `overrides.max_length`, at the cost of memory.",
    ),
    "R403": Code(
        title="few tokens carry loss",
        checks="At least 1 % of the tokens are learned from.",
        why="Most of the work goes into reading prompts. A rule of thumb.",
        fix="Shorten the prompts where they repeat the same text.",
    ),
    "R404": Code(
        title="training and export use different chat templates",
        checks="The exported tokenizer renders a conversation to the same tokens as in training.",
        why="A model that is asked in another form than it was taught answers worse.",
        fix="Report this: the export should carry the template that was trained with.",
    ),
    "R405": Code(
        title="the tuned model is worse than the baseline",
        checks="The score after training is at least the score before.",
        why="Training harmed what it should improve.",
        fix="Look at the samples; lower the learning rate, or check the labels.",
    ),
    "R406": Code(
        title="the exported model answers differently",
        checks="The same prompts get the same answers from the trained and from the exported model.",
        why="What was scored is not what would be used.",
        fix="Compare the answers in the report. A different precision explains single words; more does not.",
    ),
    "R407": Code(
        title="the loss jumped",
        checks="The loss stays within ten standard deviations of its recent values.",
        why="Broken rows show up like this. The message names the rows of the batch.",
        fix="Look at the rows named.",
    ),
    "R408": Code(
        title="the score may be noise",
        checks="The difference between before and after is larger than chance explains.",
        why="With few held-out rows a small gain means little.",
        fix="Hold out more rows: `data.evaluation: {fraction: 0.2}`.",
    ),
    "R411": Code(
        title="prompts were left out",
        checks="Every prompt that is to be tried fits into the context of the model.",
        why="Many labels or long examples take more room than there is; the other prompts are tried.",
        fix="Nothing to do; a model with a longer context could be shown more.",
    ),
    "R412": Code(
        title="the model has forgotten",
        checks="General questions are answered as well after training as before, beyond what chance explains.",
        why="Training on one thing can take away another that was not meant to go.",
        fix="Fewer epochs or a lower learning rate, an adapter instead of full updates, or replay of general text.",
    ),
    "R413": Code(
        title="refusals have changed",
        checks="Requests that do harm are refused as often after training as before, and harmless ones not more often.",
        why="Fine-tuning on harmless data alone can undo a model's safety training. Qi et al. 2023, arXiv 2310.03693. "
        "Refusals are recognised by their wording, a heuristic: read the answers.",
        fix="Mix some refused requests into the training rows, or lower the learning rate; read the answers first.",
    ),
    "R414": Code(
        title="training rows can be drawn out of the model",
        checks="The start of a training answer does not make the model continue it word for word, beyond what it does "
        "with held-out rows.",
        why="Personal data that is learned by heart can be asked for by anyone. Carlini et al. 2021, arXiv 2012.07805.",
        fix="Remove duplicates and personal data (`ftc check --fix OUT`), train fewer epochs.",
    ),
    "R415": Code(
        title="a probe could not be carried out",
        checks="What the probes of the plan need is there: lm-evaluation-harness, rows that are long enough.",
        why="The other scores stand; this one is missing from the report.",
        fix="pip install lm-eval, for `lm-eval:` probes.",
    ),
    "R416": Code(
        title="the model is written, its conversion is not",
        checks="llama.cpp's convert_hf_to_gguf.py is at hand where a GGUF file is wanted.",
        why="The transformers folder is complete; only the other format is missing.",
        fix="git clone https://github.com/ggml-org/llama.cpp, set LLAMA_CPP_DIR to it, `ftc export RUN --to gguf`.",
    ),
    "R417": Code(
        title="the exported model scores differently",
        checks="The exported model, loaded anew, gets the same held-out scores as the model that was evaluated.",
        why="What was scored is not what would be used.",
        fix="A different precision explains the third decimal place; more does not. Compare the answers in the report.",
    ),
    "R421": Code(
        title="the rewards of a group do not differ",
        checks="In at least half of the groups of answers, rewards differ.",
        why="Answers are compared with others to the same prompt. Where all earn the same, the step teaches nothing.",
        fix="Take prompts that the model answers rightly now and then, a reward by degrees, a higher "
        "`overrides.grpo.temperature` or a larger `overrides.grpo.group`.",
    ),
    "R422": Code(
        title="answers grow longer and are rewarded for it",
        checks="Where answers have grown by half, the reward does not go with their length (correlation below 0.5).",
        why="Length is the most common thing that a reward pays for without meaning to.",
        fix="Read the samples. Put the length into the reward, balance it in the pairs, or shorten the leash "
        "(`overrides.grpo.beta`).",
    ),
    "R423": Code(
        title="the reward jumped",
        checks="The mean reward of a step stays within ten standard deviations of its recent values.",
        why="Sudden success is more often a hole in the reward than a skill.",
        fix="Read the samples of that step in the stage's `answers.jsonl`.",
    ),
    "R424": Code(
        title="the reward is not fenced in by the kernel",
        checks="The kernel offers Landlock and seccomp to the process that computes the reward.",
        why="Without them Python's own audit hooks refuse files, network and processes. They stop mistakes; code that "
        "is written to get past them can.",
        fix="Use only reward functions that you have read, or a Linux kernel of 5.13 or later.",
    ),
}


def diagnostic(
    code: str, message: str = "", *, severity: Severity = Severity.ERROR, key: str = "", examples: Sequence[str] = ()
) -> Diagnostic:
    """A finding with the fix of its code."""
    page = CODES[code]
    return Diagnostic(
        code=code,
        message=message or page.title,
        severity=severity,
        fix=page.fix,
        key=key,
        examples=tuple(examples),
    )


class Stopped(Exception):
    """A stage stops for a reason that has a code; `values` go into its last event."""

    def __init__(self, code: str, message: str, **values: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.values = values
