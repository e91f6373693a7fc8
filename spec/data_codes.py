"""The findings about data, by code: what each one means, why it matters, and what to do. `ftc explain D203` prints it.

A code is never used for anything else again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ftc.spec.diagnostics import Severity


@dataclass(frozen=True, slots=True)
class DataCode:
    """The page of one code."""

    title: str
    what: str
    why: str
    fix: str
    severity: Severity = Severity.WARNING


CODES: Mapping[str, DataCode] = {
    "D101": DataCode(
        "not readable",
        "A data file is missing, may not be read, or ends before its compression says it should.",
        "Nothing can be learned from it, and a part of it would be a part that nobody chose.",
        "check the path and its permissions; fetch or compress the file again",
    ),
    "D102": DataCode(
        "empty",
        "A data file has no rows.",
        "There is nothing to learn from.",
        "point `path` at the file that has the rows",
    ),
    "D103": DataCode(
        "not decodable",
        "A place in a file is not UTF-8 text.",
        "A guessed encoding turns letters into others, and the model learns those.",
        "convert the file: iconv -f WINDOWS-1252 -t UTF-8 old.csv > new.csv",
    ),
    "D104": DataCode(
        "malformed",
        "A record is not whole: broken JSON, a quote that is never closed, too many or too few fields.",
        "It cannot be used. In an array nothing behind it can be read either.",
        "repair the line, or write a copy without it: ftc check --fix OUT",
    ),
    "D105": DataCode(
        "container not known",
        "The file is no CSV, TSV, JSON, JSONL, Parquet, Arrow or text.",
        "Its rows cannot be reached.",
        "export it as JSONL or CSV",
    ),
    "D106": DataCode(
        "more than one list of rows",
        "A JSON object holds several lists of rows, such as train and test.",
        "Reading them together would mix what is to be learned with what is to be tested.",
        "write each list to a file of its own",
    ),
    "D107": DataCode(
        "not to be had from the hub",
        "A data set on the hub cannot be fetched.",
        "There is nothing to look at.",
        "check the name and the network, or point `path` at a file",
    ),
    "D110": DataCode(
        "recognised",
        "The row format and the columns that were found, with the evidence.",
        "So that a wrong reading is seen before anything is paid for.",
        "",
    ),
    "D111": DataCode(
        "more than one reading",
        "Another column could be what is to be learned as well.",
        "Which one is meant is not in the file.",
        "write `columns:` as shown",
    ),
    "D112": DataCode(
        "not recognised",
        "No natural reading of the columns.",
        "Guessing would train on something else than meant.",
        "write `columns:` as shown",
    ),
    "D113": DataCode(
        "column not there",
        "`columns` names a role or a column that does not exist.",
        "The rows cannot be made.",
        "correct the name in `columns`",
    ),
    "D114": DataCode(
        "under the wrong key",
        "The rows are of a kind that belongs elsewhere in `data`.",
        "Each kind is learned from in another way.",
        "move the source to the key shown",
    ),
    "D115": DataCode(
        "a row of another shape",
        "A row does not have the shape that the rest of the file has.",
        "It cannot be used as it is.",
        "bring the row into the shape of the others, or split the file",
    ),
    "D120": DataCode(
        "too many unusable rows",
        "More than 1 row in 20 cannot be used.",
        "Then the file was probably misread, or is damaged.",
        "look at the findings below; write `columns:` or `format:`, or clean the file with ftc check --fix OUT",
    ),
    "D121": DataCode(
        "no usable row",
        "None of the rows can be used.",
        "There is nothing to learn from.",
        "look at the findings below; write `columns:` or `format:`",
    ),
    "D122": DataCode(
        "described beside given",
        "Sources that are described stand beside sources that are given, under one key.",
        "Only the given ones can be counted and trained on.",
        "remove the described source once its rows are there",
    ),
    "D201": DataCode(
        "empty prompt", "A row asks nothing.", "Nothing can be learned to answer.", "fill it in or remove it"
    ),
    "D202": DataCode(
        "empty completion", "A row answers nothing.", "The model would learn to be silent.", "fill it in or remove it"
    ),
    "D203": DataCode(
        "turns out of order",
        "A turn follows one that it cannot follow: two of the same side in a row, a system text in the middle, an "
        "assistant that speaks first, a tool that nobody called.",
        "Chat templates refuse such a conversation or write it down wrongly.",
        "merge turns of one side, and let the user begin",
    ),
    "D204": DataCode(
        "no assistant turn",
        "A conversation in which the assistant never answers.",
        "There is nothing to learn in it.",
        "add the answer or remove the row",
    ),
    "D205": DataCode(
        "turns after the last answer",
        "A conversation goes on after the assistant's last turn. The row is used up to there.",
        "Only what the assistant says is learned.",
        "nothing to do, unless the answer is missing",
    ),
    "D206": DataCode(
        "no preference",
        "The two answers are the same, or neither is preferred.",
        "There is no difference to learn.",
        "remove the row",
    ),
    "D207": DataCode(
        "neither good nor bad",
        "A judgement that is no thumb up or down.",
        "It cannot be learned from.",
        "write true or false",
    ),
    "D208": DataCode(
        "not text",
        "A turn holds an image or another part that is not text.",
        "Only text is trained on here.",
        "remove the row, or describe the part in words",
    ),
    "D209": DataCode(
        "nothing ranked",
        "A ranked list of fewer than two different answers.",
        "There is no difference to learn.",
        "remove the row",
    ),
    "D301": DataCode(
        "exact duplicates",
        "A row stands more than once, word for word.",
        "It is learned more strongly than others, and is memorised more easily (Lee et al. 2022, arXiv 2107.06499).",
        "remove the repetitions: ftc check --fix OUT",
    ),
    "D302": DataCode(
        "near duplicates",
        "Two rows share about four fifths of their word triples (MinHash).",
        "They count as one example to the model. Split apart, one is a leak of the other into the held-out rows.",
        "keep one of them, or say with group_by what belongs together",
        Severity.NOTE,
    ),
    "D303": DataCode(
        "conflicting labels",
        "The same text has two different labels.",
        "At most one can be right; the score cannot rise above that.",
        "decide on one label",
    ),
    "D304": DataCode(
        "leaked answers",
        "The prompt holds the answer that is to be learned.",
        "The model learns to copy; the score says nothing about rows without it.",
        "take the answer out of the prompt, or name another column as the prompt",
    ),
    "D305": DataCode(
        "evaluation rows among the training rows",
        "An evaluation row asks what a training row asks, word for word or nearly so.",
        "The score measures memory instead of skill.",
        "remove those rows from one of the two files",
    ),
    "D306": DataCode(
        "one answer",
        "All rows, or most of them, have one and the same answer.",
        "Saying it always is then the easiest thing to learn.",
        "check that `completion` or `label` names the right column; collect rows of the other kinds",
    ),
    "D307": DataCode(
        "few rows",
        "Fewer rows than fine-tuning is reported to gain from. A rule of thumb.",
        "So few are better shown in the prompt.",
        "collect more, or use them as examples in the prompt",
    ),
    "D308": DataCode(
        "uneven classes",
        "Some classes have few rows, or far fewer than others. A rule of thumb.",
        "Rare classes are learned badly, and accuracy hides it.",
        "collect rows of those classes; look at macro-F1 instead of accuracy",
        Severity.NOTE,
    ),
    "D309": DataCode(
        "damaged letters",
        "Text went through a wrong encoding at some time (Ã© for é) or has the sign for what cannot be decoded.",
        "The model learns to write it.",
        "export the file again as UTF-8, or repair it: ftc check --fix OUT",
    ),
    "D310": DataCode(
        "control characters",
        "Text holds characters that are not for reading.",
        "They become tokens of their own and are learned.",
        "remove them: ftc check --fix OUT",
    ),
    "D311": DataCode(
        "secrets",
        "A row holds a key, a token, a password or a private key.",
        "A model can repeat what it was trained on to anyone (Carlini et al. 2021, arXiv 2012.07805).",
        "revoke it, and replace it: ftc check --fix OUT",
    ),
    "D312": DataCode(
        "personal data",
        "A row holds an e-mail address, a phone number, a card number, an IBAN or a national id. Names and addresses "
        "are not looked for.",
        "A model can repeat it to anyone, and the law may forbid it.",
        "write `contains: [pii]` if it is meant, or replace it: ftc check --fix OUT",
    ),
    "D313": DataCode(
        "words of the list",
        "Rows hold words of the list that FTC_WORD_LIST names.",
        "What is trained on is said again.",
        "look at those rows",
    ),
    "D314": DataCode(
        "longer than the model",
        "Rows have more tokens than the model can take.",
        "Their end, where the answer stands, would be cut off.",
        "shorten them, or choose a model with a longer context",
    ),
    "D315": DataCode(
        "another language",
        "Most rows are in another language than `goal.language`.",
        "Advice and estimates depend on the language.",
        "correct `goal.language`, or check that this is the right file",
    ),
}
