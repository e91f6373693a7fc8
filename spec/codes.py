"""The codes of everything that can be wrong with a spec, one meaning each, for `ftc explain S104`.

A code that has been given out keeps its meaning for good. S110 to S112, S130 to S132 and S135 come from the advisor,
which has the catalogues and the settings; they are listed here because they are about the spec. Codes about rows (D)
have a table of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

from ftc.spec.diagnostics import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One page of the manual."""

    title: str
    checks: str  # what it checks
    why: str  # why it matters
    fix: str  # how to put it right
    severity: Severity = Severity.WARNING  # of a finding about data; problems of a spec say it themselves


CODES: dict[str, Code] = {
    "S101": Code(
        title="the spec file cannot be read",
        checks="The file that was named (`ftc.yaml` where none was) exists, is a regular file, may be read, and is at "
        "most 1 MB.",
        why="Without it there is nothing to decide on. A larger file is data that was taken for a spec.",
        fix="Name the file, or let `ftc init` write one. Rows belong into data files that the spec names.",
    ),
    "S102": Code(
        title="the spec file is not text",
        checks="The file is UTF-8 (a byte order mark is fine, so is UTF-16 with one) without control characters.",
        why="Bytes of another encoding would turn names and paths into other names and paths.",
        fix="Save it as UTF-8, or convert it: `iconv -f windows-1252 -t utf-8 old.yaml > ftc.yaml`.",
    ),
    "S103": Code(
        title="unknown key",
        checks="Every key is one of the language's, at the place where it belongs.",
        why="A key with a typo would do nothing, and nobody would notice.",
        fix="Write the key that is suggested. `ftc schema spec` prints all of them; editors complete them with it.",
    ),
    "S104": Code(
        title="no such file",
        checks="Every path in the spec leads to a file or folder. Relative paths start at the folder of the spec.",
        why="A run that dies on a missing file has been waited and perhaps paid for.",
        fix="Correct the path. To plan before the data exists, describe it: "
        "`{rows: 1000, prompt_tokens: 200, completion_tokens: 50}`.",
    ),
    "S105": Code(
        title="not YAML",
        checks="The file follows YAML's grammar: indentation by blanks, `key: value`, closed brackets and quotes.",
        why="What cannot be read can mean anything.",
        fix="Indent by two blanks a level, never by tabs; put texts that hold `: `, `#`, or start with one of "
        "`* & ! % @ [ {` or a backquote into quotes.",
    ),
    "S106": Code(
        title="a YAML tag",
        checks="No value carries a tag other than those of plain values (`!!str`, `!!int`, `!!float`, `!!bool`, ...).",
        why="Tags such as `!!python/object` ask a reader to build objects, which is how a file runs code.",
        fix="Remove the tag.",
    ),
    "S107": Code(
        title="a file that grows without bound",
        checks="At most 30 levels of nesting and 20,000 values, aliases written out; no alias inside its own anchor.",
        why="A few lines of aliases can stand for billions of values and would take all memory.",
        fix="Write the values out, or name a data file.",
    ),
    "S108": Code(
        title="not one mapping",
        checks="The file holds one YAML document, and that is a mapping of keys to values.",
        why="An empty file, a list or a second document has no keys to read.",
        fix="Start with `goal: {task: classification}`; `ftc init` writes a whole file.",
    ),
    "S109": Code(
        title="a key that is no text",
        checks="Every key is a single piece of text.",
        why="`{{ name }}`, left over from a template, is read by YAML as a mapping that is a key.",
        fix="Fill in the template, or put the text into quotes.",
    ),
    "S110": Code(
        title="unknown GPU",
        checks="Every GPU that is named is in the catalogue; names are matched loosely.",
        why="Memory and speed of an unknown card would be guesses.",
        fix="`ftc gpus` lists all. For one that is missing, name the nearest and give `memory_gib`.",
    ),
    "S111": Code(
        title="unknown model",
        checks="The base model is in the catalogue, on the hub's cache, a local folder, or described.",
        why="Without its architecture or at least its size there is no estimate.",
        fix="`ftc models` lists what is known. For another, give `model.parameters`, or a folder with its config.json.",
    ),
    "S112": Code(
        title="unknown cloud",
        checks="Every cloud that is named is in the price list.",
        why="Without prices there is no offer to choose from.",
        fix="Write one that is listed in the message, or `cloud: any`.",
    ),
    "S113": Code(
        title="the wrong kind of value",
        checks="A number stands where a number belongs, a list where a list does, and so on.",
        why="A value of another kind would be misread.",
        fix="Write the value as the message shows it. One entry of a list goes into brackets: `contains: [phi]`.",
    ),
    "S114": Code(
        title="a word that is not in the list",
        checks="Where the language has a closed list of words, the value is one of them.",
        why="A word that nothing knows would be ignored.",
        fix="Write the word that is suggested.",
    ),
    "S115": Code(
        title="out of range",
        checks="Numbers, texts and lists are within the limits that make sense: a share is from 0 to 1.",
        why="A value outside is a slip of the unit (80 for 0.80) or of the keyboard.",
        fix="Write a value within the limits that the message names.",
    ),
    "S116": Code(
        title="something is missing",
        checks="Every key that cannot be guessed is there: `goal.task`, a metric with its threshold, the GPU of owned "
        "hardware.",
        why="A default would decide something that only the user knows.",
        fix="Add the line that the message shows.",
    ),
    "S117": Code(
        title="a contradiction",
        checks="Keys that exclude each other are not given together: path and rows, gpu and cloud, path and fraction; "
        "numbers add up; the evaluation set is not what is trained on.",
        why="One of the two would have to be ignored, and it might be the one that was meant.",
        fix="Keep one of the two.",
    ),
    "S118": Code(
        title="a text that is not written as it has to be",
        checks="Names, numbers with suffixes (`8b`, `1.5M`, `12k`) and `file.py:function` have their form. Numbers "
        "with leading zeros are refused, because YAML versions read them differently.",
        why="A name becomes a folder; a number with another suffix would be misread.",
        fix="Write it as the message shows.",
    ),
    "S119": Code(
        title="a key that stands twice",
        checks="No mapping holds the same key twice.",
        why="YAML readers keep one of the two without a word, and they do not agree which.",
        fix="Keep one of them.",
    ),
    "S120": Code(
        title="a metric that does not fit the task",
        checks="`goal.success.metric` can be computed for answers of the kind that the task gives.",
        why="Accuracy over free text counts almost every good answer as wrong.",
        fix="Write the metric that is suggested.",
    ),
    "S122": Code(
        title="a secret in the spec",
        checks="No value looks like an access token.",
        why="Specs are shared and committed; whoever reads a token can use it.",
        fix="Remove it, revoke it where the file was shared, and set it in the environment: `export HF_TOKEN=...`.",
    ),
    "S123": Code(
        title="a path that rows cannot be read from",
        checks="A path leads to a file or folder that this user may read, not to a web address or a device.",
        why="ftc downloads nothing but hub data sets and models, so that a plan's inputs stay what they were.",
        fix="Download the file and write its path, or `chmod +r` it.",
    ),
    "S124": Code(
        title="the reward function is not there",
        checks="The file of `data.reward.function` is Python and defines the function at its top level. It is parsed, "
        "not run.",
        why="The reward is first called after the model has been loaded, which may take long and cost money.",
        fix="Write `file.py:function` with a function that the file defines.",
    ),
    "S126": Code(
        title="a setting without effect",
        checks="What is written is used: no `max_parameters` beside a named model, no `spot` beside owned hardware.",
        why="It is a warning: nothing breaks, but something else may have been meant.",
        fix="Remove the line, or change what makes it idle.",
    ),
    "S127": Code(
        title="neither given nor described",
        checks="Each set of rows has a path, or says how many rows (or tokens) there will be.",
        why="There is nothing to decide on.",
        fix="Give `path`, or describe: `{rows: 1000, prompt_tokens: 200, completion_tokens: 50}`.",
    ),
    "S130": Code(
        title="no such setting",
        checks="Every override is a setting, also where overrides come from a program or a screen and not from a file "
        "(in a file it is S103).",
        why="An override that nothing reads would do nothing, and nobody would notice.",
        fix="Write the setting that is suggested. The plan lists every setting with its value.",
    ),
    "S131": Code(
        title="a setting of the wrong kind",
        checks="Every override has its setting's type, also where it comes from a program or a screen (in a file it is "
        "S113 or S114).",
        why="A word where a number belongs would fail in the middle of a run.",
        fix="Write a value of the kind that the message names.",
    ),
    "S132": Code(
        title="a setting out of range",
        checks="Every override is within the limits of what makes sense, also where it comes from a program or a "
        "screen (in a file it is S115).",
        why="A learning rate of 5 ruins a model, and a rank of a million none can hold.",
        fix="Write a value within the limits; the rule behind the setting says which values are wise.",
    ),
    "S133": Code(
        title="there is a spec already",
        checks="`ftc init` writes where no file is.",
        why="A spec is somebody's work; nothing is written over without it having been said.",
        fix="`ftc init --force` writes over it, `ftc init -o other.yaml` writes beside it.",
    ),
    "S134": Code(
        title="a reward that cannot be read",
        checks="`data.reward.regex` is a regular expression of Python, `data.reward.json_schema` a file with a JSON "
        "Schema.",
        why="The reward is first computed after the model has been loaded, which may take long and cost money.",
        fix="Put the expression or the schema right. Expressions stand best between single quotes.",
    ),
    "S135": Code(
        title="checkpoints between evaluations",
        checks="Where both are overridden, `save_steps` is a multiple of `eval_steps`.",
        why="The best checkpoint is kept by its held-out loss; one written between two evaluations has none, and the "
        "trainer refuses to start once the model has been loaded.",
        fix="Give a multiple, or only one of the two: the other then follows.",
    ),
    "S190": Code(
        title="no such code",
        checks="`ftc explain` is given a code that has a page, or a key of a plan.",
        why="There is nothing to explain.",
        fix="Write one of the codes that are suggested.",
    ),
}
