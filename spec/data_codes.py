"""The findings about data, by code: what each one means, why it matters, and what to do. `ftc explain D203` prints it.

A code is never used for anything else again.
"""

from __future__ import annotations

from collections.abc import Mapping

from ftc.spec.codes import Code
from ftc.spec.diagnostics import Severity

CODES: Mapping[str, Code] = {
    "D101": Code(
        title="not readable",
        checks="A data file is missing, may not be read, or ends before its compression says it should.",
        why="Nothing can be learned from it, and a part of it would be a part that nobody chose.",
        fix="check the path and its permissions; fetch or compress the file again",
    ),
    "D102": Code(
        title="empty",
        checks="A data file has no rows.",
        why="There is nothing to learn from.",
        fix="point `path` at the file that has the rows",
    ),
    "D103": Code(
        title="not decodable",
        checks="A place in a file is not UTF-8 text.",
        why="A guessed encoding turns letters into others, and the model learns those.",
        fix="convert the file: iconv -f WINDOWS-1252 -t UTF-8 old.csv > new.csv",
    ),
    "D104": Code(
        title="malformed",
        checks="A record is not whole: broken JSON, a quote that is never closed, too many or too few fields.",
        why="It cannot be used. In an array nothing behind it can be read either.",
        fix="repair the line, or write a copy without it: ftc check --fix OUT",
    ),
    "D105": Code(
        title="container not known",
        checks="The file is no CSV, TSV, JSON, JSONL, Parquet, Arrow or text.",
        why="Its rows cannot be reached.",
        fix="export it as JSONL or CSV",
    ),
    "D106": Code(
        title="more than one list of rows",
        checks="A JSON object holds several lists of rows, such as train and test.",
        why="Reading them together would mix what is to be learned with what is to be tested.",
        fix="write each list to a file of its own",
    ),
    "D107": Code(
        title="not to be had from the hub",
        checks="A data set on the hub cannot be fetched.",
        why="There is nothing to look at.",
        fix="check the name and the network, or point `path` at a file",
    ),
    "D110": Code(
        title="recognised",
        checks="The row format and the columns that were found, with the evidence.",
        why="So that a wrong reading is seen before anything is paid for.",
        fix="",
    ),
    "D111": Code(
        title="more than one reading",
        checks="Another column could be what is to be learned as well.",
        why="Which one is meant is not in the file.",
        fix="write `columns:` as shown",
    ),
    "D112": Code(
        title="not recognised",
        checks="No natural reading of the columns.",
        why="Guessing would train on something else than meant.",
        fix="write `columns:` as shown",
    ),
    "D113": Code(
        title="column not there",
        checks="`columns` names a role or a column that does not exist.",
        why="The rows cannot be made.",
        fix="correct the name in `columns`",
    ),
    "D114": Code(
        title="under the wrong key",
        checks="The rows are of a kind that belongs elsewhere in `data`.",
        why="Each kind is learned from in another way.",
        fix="move the source to the key shown",
    ),
    "D115": Code(
        title="a row of another shape",
        checks="A row does not have the shape that the rest of the file has.",
        why="It cannot be used as it is.",
        fix="bring the row into the shape of the others, or split the file",
    ),
    "D120": Code(
        title="too many unusable rows",
        checks="More than 1 row in 20 cannot be used.",
        why="Then the file was probably misread, or is damaged.",
        fix="look at the findings below; write `columns:` or `format:`, or clean the file with ftc check --fix OUT",
    ),
    "D121": Code(
        title="no usable row",
        checks="None of the rows can be used.",
        why="There is nothing to learn from.",
        fix="look at the findings below; write `columns:` or `format:`",
    ),
    "D122": Code(
        title="described beside given",
        checks="Sources that are described stand beside sources that are given, under one key.",
        why="Only the given ones can be counted and trained on.",
        fix="remove the described source once its rows are there",
    ),
    "D201": Code(
        title="empty prompt",
        checks="A row asks nothing.",
        why="Nothing can be learned to answer.",
        fix="fill it in or remove it",
    ),
    "D202": Code(
        title="empty completion",
        checks="A row answers nothing.",
        why="The model would learn to be silent.",
        fix="fill it in or remove it",
    ),
    "D203": Code(
        title="turns out of order",
        checks="A turn follows one that it cannot follow: two of the same side in a row, a system text in the middle, "
        "an assistant that speaks first, a tool that nobody called.",
        why="Chat templates refuse such a conversation or write it down wrongly.",
        fix="merge turns of one side, and let the user begin",
    ),
    "D204": Code(
        title="no assistant turn",
        checks="A conversation in which the assistant never answers.",
        why="There is nothing to learn in it.",
        fix="add the answer or remove the row",
    ),
    "D205": Code(
        title="turns after the last answer",
        checks="A conversation goes on after the assistant's last turn. The row is used up to there.",
        why="Only what the assistant says is learned.",
        fix="nothing to do, unless the answer is missing",
    ),
    "D206": Code(
        title="no preference",
        checks="The two answers are the same, or neither is preferred.",
        why="There is no difference to learn.",
        fix="remove the row",
    ),
    "D207": Code(
        title="neither good nor bad",
        checks="A judgement that is no thumb up or down.",
        why="It cannot be learned from.",
        fix="write true or false",
    ),
    "D208": Code(
        title="not text",
        checks="A turn holds an image or another part that is not text.",
        why="Only text is trained on here.",
        fix="remove the row, or describe the part in words",
    ),
    "D209": Code(
        title="nothing ranked",
        checks="A ranked list of fewer than two different answers.",
        why="There is no difference to learn.",
        fix="remove the row",
    ),
    "D301": Code(
        title="exact duplicates",
        checks="A row stands more than once, word for word.",
        why="It is learned more strongly than others, and is memorised more easily (Lee et al. 2022, "
        "arXiv 2107.06499).",
        fix="remove the repetitions: ftc check --fix OUT",
    ),
    "D302": Code(
        title="near duplicates",
        checks="Two rows share about four fifths of their word triples (MinHash).",
        why="They count as one example to the model. Split apart, one is a leak of the other into the held-out rows.",
        fix="keep one of them, or say with group_by what belongs together",
        severity=Severity.NOTE,
    ),
    "D303": Code(
        title="conflicting labels",
        checks="The same text has two different labels.",
        why="At most one can be right; the score cannot rise above that.",
        fix="decide on one label",
    ),
    "D304": Code(
        title="leaked answers",
        checks="The prompt holds the answer that is to be learned.",
        why="The model learns to copy; the score says nothing about rows without it.",
        fix="take the answer out of the prompt, or name another column as the prompt",
    ),
    "D305": Code(
        title="evaluation rows among the training rows",
        checks="An evaluation row asks what a training row asks, word for word or nearly so.",
        why="The score measures memory instead of skill.",
        fix="remove those rows from one of the two files",
    ),
    "D306": Code(
        title="one answer",
        checks="All rows, or most of them, have one and the same answer.",
        why="Saying it always is then the easiest thing to learn.",
        fix="check that `completion` or `label` names the right column; collect rows of the other kinds",
    ),
    "D307": Code(
        title="few rows",
        checks="Fewer rows than fine-tuning is reported to gain from. A rule of thumb.",
        why="So few are better shown in the prompt.",
        fix="collect more, or use them as examples in the prompt",
    ),
    "D308": Code(
        title="uneven classes",
        checks="Some classes have few rows, or far fewer than others. A rule of thumb.",
        why="Rare classes are learned badly, and accuracy hides it.",
        fix="collect rows of those classes; look at macro-F1 instead of accuracy",
        severity=Severity.NOTE,
    ),
    "D309": Code(
        title="damaged letters",
        checks="Text went through a wrong encoding at some time (Ã© for é) or has the sign for what cannot be decoded.",
        why="The model learns to write it.",
        fix="export the file again as UTF-8, or repair it: ftc check --fix OUT",
    ),
    "D310": Code(
        title="control characters",
        checks="Text holds characters that are not for reading.",
        why="They become tokens of their own and are learned.",
        fix="remove them: ftc check --fix OUT",
    ),
    "D311": Code(
        title="secrets",
        checks="A row holds a key, a token, a password or a private key.",
        why="A model can repeat what it was trained on to anyone (Carlini et al. 2021, arXiv 2012.07805).",
        fix="revoke it, and replace it: ftc check --fix OUT",
    ),
    "D312": Code(
        title="personal data",
        checks="A row holds an e-mail address, a phone number, a card number, an IBAN or a national id. Names and "
        "addresses are not looked for.",
        why="A model can repeat it to anyone, and the law may forbid it.",
        fix="write `contains: [pii]` if it is meant, or replace it: ftc check --fix OUT",
    ),
    "D313": Code(
        title="words of the list",
        checks="Rows hold words of the list that FTC_WORD_LIST names.",
        why="What is trained on is said again.",
        fix="look at those rows",
    ),
    "D314": Code(
        title="longer than the model",
        checks="Rows have more tokens than the model can take.",
        why="Their end, where the answer stands, would be cut off.",
        fix="shorten them, or choose a model with a longer context",
    ),
    "D315": Code(
        title="another language",
        checks="Most rows are in another language than `goal.language`.",
        why="Advice and estimates depend on the language.",
        fix="correct `goal.language`, or check that this is the right file",
    ),
}
