"""What one sentence says about goal, data and means: guesses by rule, each with the words that led to it.

Honest rather than clever: where no word speaks for a value there is no guess, and everything found here is written
down as a guess, for a person to confirm. Knows the spec's language; calls no model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ftc.spec.language import Json
from ftc.spec.places_on_disk import DATA_ENDINGS

LONGEST = 5_000  # characters that are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """A value for a dotted key of the spec, and the words of the sentence that it was read from."""

    key: str
    value: Json
    evidence: tuple[str, ...]

    def note(self) -> str:
        """The remark to write beside it: `guessed from "route", "intents"`."""
        return "guessed from " + ", ".join(f'"{each}"' for each in self.evidence)


def guess(sentence: str) -> tuple[Guess, ...]:
    """At most one guess a key. `data.path` names files that the sentence mentions; it is no key of the spec."""
    text = sentence[:LONGEST]
    found: dict[str, Guess] = {}
    for one in (
        _task,
        _domain,
        _knowledge,
        _prompting,
        _language,
        _success,
        _hardware,
        _budget,
        _rules,
        _files,
        _model,
    ):
        for each in one(text):
            found.setdefault(each.key, each)
    return tuple(found.values())


# Words that speak for a task; the number is how plainly. Ties go to the task that stands first.
TASKS: Mapping[str, tuple[tuple[str, int], ...]] = {
    "structured-output": ((r"(valid|strict) json\b", 3), (r"\bjson\b", 3), (r"structured (output|data)", 3),
                          (r"\bxml\b", 2), (r"schemas?\b", 1)),
    "summarization": ((r"summar(y|ies|i[sz]\w+)", 3), (r"tl;?dr", 3), (r"condens\w+|shorten\w*", 2),
                      (r"discharge letters?", 1)),
    "classification": ((r"classif\w+", 3), (r"categor\w+", 3), (r"\bintents?\b", 3), (r"\broute|routing\b", 2),
                       (r"triag\w+", 2), (r"sentiment", 3), (r"\bspam\b", 2), (r"\blabels?\b", 1),
                       (r"\btag(s|ging)?\b", 1), (r"which of\b", 1), (r"\bsort(ed|ing)?\b", 1), (r"detect\w*", 1)),
    "extraction": ((r"extract\w*", 3), (r"pull (out|the)", 2), (r"\bentit(y|ies)\b", 2), (r"\bfields?\b", 1)),
    "reasoning": ((r"\bmath\w*", 3), (r"reason(ing)?\b", 3), (r"unit tests?", 2),
                  (r"\b(write|generate) (code|sql)\b", 3), (r"\bcod(e|ing)\b", 2), (r"step by step", 2),
                  (r"proofs?\b", 2), (r"puzzles?", 2)),
    "safety": ((r"refus\w+", 3), (r"jailbreak\w*", 3), (r"harmful", 3), (r"\bsafety\b", 2), (r"\bsafer?\b", 1),
               (r"toxic\w*", 2)),
    "tone": ((r"\btone\b", 3), (r"\bvoice\b", 3), (r"brand\b", 2), (r"\bstyle\b", 2), (r"sounds? (like|more)", 2),
             (r"polite\w*|friendl\w+", 1)),
    "new-language": ((r"low[- ]resource", 3), (r"(new|another) language", 3), (r"hardly (writes?|speaks?|knows?)", 1),
                     (r"\bdialects?\b", 2)),
    "domain-adaptation": ((r"continued pre-?train\w*", 3), (r"domain adapt\w+", 3), (r"\bcorpus\b", 2), (r"jargon", 2),
                          (r"\bmanuals\b", 1)),
    "qa": ((r"question[- ]answer\w*", 3), (r"answers? questions?", 3), (r"\bq ?& ?a\b", 3), (r"\bfaqs?\b", 2),
           (r"\basks? questions?", 2), (r"cit(e|es|ing|ations?)\b", 1), (r"questions? (about|on|over)", 2)),
    "chat": ((r"chat\w*", 3), (r"assistant", 2), (r"\bbots?\b", 2), (r"conversation\w*", 2), (r"dialog\w*", 2)),
    "generation": ((r"\bwrit(e|es|ing)\b", 2), (r"\bgenerat\w+", 2), (r"\bdrafts?\b", 2), (r"translat\w+", 3),
                   (r"\brepl(y|ies)\b", 1), (r"compos\w+", 1), (r"instructions?\b", 1)),
}  # fmt: skip
DOMAINS: Mapping[str, tuple[tuple[str, int], ...]] = {
    "support": ((r"\bsupport\b", 2), (r"\btickets?\b", 2), (r"help ?desk", 2), (r"customers?\b", 1),
                (r"complaints?", 1)),
    "healthcare": ((r"hospitals?", 2), (r"patients?", 2), (r"clinic\w*", 2), (r"medic\w+", 2), (r"doctors?|nurses?", 2),
                   (r"health\w*", 2), (r"diagnos\w+", 1), (r"discharge", 1)),
    "finance": ((r"\bbank\w*", 2), (r"\bloans?\b", 2), (r"financ\w+", 2), (r"trading|traders?", 2), (r"invoices?", 1),
                (r"\btax\w*", 1), (r"insur\w+", 1), (r"earnings", 1), (r"accounting|audit\w*", 1)),
    "legal": ((r"contracts?\b", 2), (r"clauses?", 2), (r"\blegal\b", 2), (r"\blaws?\b|lawyers?", 2),
              (r"\bcourts?\b", 2), (r"\bndas?\b", 2), (r"complian\w+", 1)),
    "software": ((r"\bcod(e|ing)\b", 1), (r"compilers?", 2), (r"\bsql\b", 2), (r"pull requests?", 2)),
}  # fmt: skip
LANGUAGES = {
    "English": "en", "German": "de", "French": "fr", "Spanish": "es", "Italian": "it", "Portuguese": "pt",
    "Dutch": "nl", "Polish": "pl", "Czech": "cs", "Danish": "da", "Swedish": "sv", "Norwegian": "no", "Finnish": "fi",
    "Greek": "el", "Turkish": "tr", "Russian": "ru", "Ukrainian": "uk", "Arabic": "ar", "Hebrew": "he", "Hindi": "hi",
    "Bengali": "bn", "Chinese": "zh", "Japanese": "ja", "Korean": "ko", "Vietnamese": "vi", "Thai": "th",
    "Indonesian": "id", "Romanian": "ro", "Hungarian": "hu", "Swahili": "sw", "Deutsch": "de", "Fran\u00e7ais": "fr",
    "Espa\u00f1ol": "es",
}  # fmt: skip
NUMBERS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "twelve": 12,
}  # fmt: skip
_COUNT = r"(?P<count>\d+|" + "|".join(NUMBERS) + r")"
DAYS = {"day": 1, "week": 7, "month": 30}
# key, value, words that say so
RULES: tuple[tuple[str, str, str], ...] = (
    ("constraints", "on-prem", r"on[- ]prem\w*|(no|not) (data )?(may|can|must)?( ?not)? ?(leave|leaving)"
     r"|(may|can|must)(n't| not|not) leave|own data cent(er|re)|air[- ]gapped"),
    ("constraints", "commercial", r"\bcommercial\w*|we sell|our product\b"),
    ("constraints", "citations", r"\bcit(e|es|ing|ations?)\b|with sources"),
    ("constraints", "api-allowed", r"(hosted|any|an) api( use)? is (fine|ok\w*|allowed)|\bapi use\b"),
    ("constraints", "spot-ok", r"\bspot (instances?|machines?) (are|is) (fine|ok\w*)|preemptible|interruptible"),
    ("constraints", "safety-critical", r"safety[- ]critical|life[- ]threatening"),
    ("constraints", "no-hallucination", r"(no|not|never) (hallucinat\w+|invent\w*|make (things|anything) up)"),
    ("data.contains", "phi", r"\bpatients?\b|medical records?|discharge (summar\w+|letters?)|\bphi\b"),
    ("data.contains", "pii", r"personal (data|information)|\bpii\b|\bgdpr\b|names and addresses|phone numbers"),
)  # fmt: skip
_GPU = re.compile(
    r"(?:(?P<count>\d{1,3}|" + "|".join(NUMBERS) + r")\s*(?:[x\u00d7]\s*|\s))?(?:nvidia\s+)?"
    r"(?P<gpu>(?:rtx|gtx)[ -]?\d{4}(?:[ -]?ti)?|a100|a10g?|a40|a6000|h100|h200|b200|b300|gh200|l40s?|l4|t4|v100|p100"
    r"|mi\d{3}x?|(?:apple )?m[1-5] (?:pro|max|ultra))\b(?:[ -]?(?P<memory>\d{2,3})\s?gi?b)?",
    re.IGNORECASE,
)


def _task(text: str) -> Iterator[Guess]:
    yield from _weighed("goal.task", TASKS, text, least=2)


def _domain(text: str) -> Iterator[Guess]:
    yield from _weighed("goal.domain", DOMAINS, text, least=2)


def _weighed(key: str, table: Mapping[str, tuple[tuple[str, int], ...]], text: str, least: int) -> Iterator[Guess]:
    """The value that most words speak for, where they say enough."""
    best, most = "", 0
    evidence: tuple[str, ...] = ()
    for value, rules in table.items():
        hits = [(found.group().strip(), weight) for rule, weight in rules if (found := _search(rule, text))]
        weight = sum(each for _, each in hits)
        if weight > most:
            best, most, evidence = value, weight, tuple(dict.fromkeys(word for word, _ in hits))
    if most >= least:
        yield Guess(key=key, value=best, evidence=evidence)


def _knowledge(text: str) -> Iterator[Guess]:
    for word in ("hourly", "daily", "weekly", "monthly"):
        unit = {"daily": "day"}.get(word, word.removesuffix("ly"))
        found = _search(
            rf"(chang|revis|updat|refresh)\w+ (\w+ )?({word}|every {unit}|each {unit})|{word} updates?", text
        )
        if found:
            yield Guess(key="goal.knowledge", value=word, evidence=(found.group(),))
            return


def _prompting(text: str) -> Iterator[Guess]:
    failed = r"prompt(s|ing|ed)?\b[^.]{0,40}\b(not enough|insufficient|fails?|misses|plateau\w*|does ?n[o']t|isn't)"
    found = _search(failed, text)
    if found:
        yield Guess(key="goal.prompting", value="insufficient", evidence=(found.group(),))


def _language(text: str) -> Iterator[Guess]:
    scarce = _search(r"low[- ]resource (\w+ )?languages?", text)
    if scarce:
        yield Guess(key="goal.language", value="low-resource", evidence=(scarce.group(),))
    found = re.search(rf"\b({'|'.join(LANGUAGES)})\b", text)  # with its capital: `polish our replies` names none
    if found:
        yield Guess(key="goal.language", value=LANGUAGES[found.group()], evidence=(found.group(),))


def _success(text: str) -> Iterator[Guess]:
    share = r"(?P<share>\d{1,3}(\.\d+)?) ?(%|percent)"
    after = share.replace("share", "other")
    found = _search(
        rf"{share} (\w+ )?(accuracy|accurate|correct|right)|accuracy (of|above|over|at least) {after}", text
    )
    if found:
        percent = float(found.group("share") or found.group("other"))
        if 0 < percent <= 100:
            value = {"metric": "accuracy", "at_least": percent / 100}
            yield Guess(key="goal.success", value=value, evidence=(found.group(),))


def _hardware(text: str) -> Iterator[Guess]:
    rented = _search(r"\b(rent(ed|ing)?|cloud|runpod|lambda labs|aws|gcp|azure)\b(?! ?(is|are) not)", text)
    if _search(r"\bno[- ]cloud\b|not? (use |in )?(the |any )?cloud", text):
        rented = None
    found = _GPU.search(text)
    if found:
        card = re.sub(r"\s+", "-", found.group("gpu").lower())
        card = re.sub(r"^(rtx|gtx)-?", r"\1-", card)
        count = _number(found.group("count") or "1")
        value: dict[str, Json] = {"cloud": "any", "gpus": [card]} if rented else {"gpu": card}
        value["count"] = count
        if found.group("memory"):
            value["memory_gib"] = int(found.group("memory"))
        words = (found.group().strip(), *((rented.group(),) if rented else ()))
        yield Guess(key="hardware", value=value, evidence=words)
    elif (none := _search(r"\b(no gpus?|without (a )?gpus?|cpu only|only (a )?cpus?)\b", text)) is not None:
        yield Guess(key="hardware", value={"gpu": "none"}, evidence=(none.group(),))
    elif rented:
        yield Guess(key="hardware", value={"cloud": "any"}, evidence=(rented.group(),))
    elif (
        local := _search(r"\b(this (machine|laptop|computer|server)|my (laptop|machine|computer|gpu))\b", text)
    ) is not None:
        yield Guess(key="hardware", value="local", evidence=(local.group(),))


def _budget(text: str) -> Iterator[Guess]:
    amount_of = r"(?P<{}>\d+(,\d{{3}})*(\.\d+)?)"
    money = _search(
        rf"(us)?\$ ?{amount_of.format('sign')} ?(?P<k>k\b)?"
        rf"|{amount_of.format('word')} ?(?P<wk>k\b)? ?(usd|dollars|bucks)\b",
        text,
    )
    if money:
        amount = float((money.group("sign") or money.group("word")).replace(",", ""))
        amount *= 1000 if money.group("k") or money.group("wk") else 1
        yield Guess(key="budget.usd", value=_whole(amount), evidence=(money.group().strip(),))
    hours = _search(rf"\b{_COUNT} ?(gpu[- ])?hours?\b(?! (ago|old))", text)
    if hours:
        yield Guess(key="budget.hours", value=_number(hours.group("count")), evidence=(hours.group(),))
    within = _search(
        rf"\b(in|within|have|for|over) {_COUNT} (?P<unit>day|week|month)s?\b|\b(?P<bare>two|three|four) weeks\b", text
    )
    if within:
        count = _number(within.group("count") or within.group("bare"))
        days = count * DAYS[(within.group("unit") or "week").lower()]
        yield Guess(key="budget.deadline_days", value=days, evidence=(within.group(),))
    elif (soon := _search(r"\bby tomorrow\b|\btomorrow\b|\bnext week\b", text)) is not None:
        days = 7 if "week" in soon.group().lower() else 1
        yield Guess(key="budget.deadline_days", value=days, evidence=(soon.group(),))


def _rules(text: str) -> Iterator[Guess]:
    found: dict[str, dict[str, str]] = {}
    for key, word, rule in RULES:
        hit = _search(rule, text)
        if hit:
            found.setdefault(key, {})[word] = hit.group().strip()
    for key, words in found.items():
        yield Guess(key=key, value=list(words), evidence=tuple(words.values()))


def _files(text: str) -> Iterator[Guess]:
    endings = "|".join(re.escape(each) for each in DATA_ENDINGS)
    paths = re.findall(rf"(?<![\w./~-])[\w./~-]*\w(?:{endings})+(?!\w)", text, re.IGNORECASE)
    if paths:
        unique = list(dict.fromkeys(paths))
        yield Guess(key="data.path", value=unique, evidence=tuple(unique))


def _model(text: str) -> Iterator[Guess]:
    for found in re.finditer(r"(?<![\w./-])(builtin:tiny|[A-Za-z][\w.-]{2,40}/[\w-]*\d[\w.-]*\w)(?![\w/])", text):
        if not found.group().lower().endswith(DATA_ENDINGS):
            yield Guess(key="model.base", value=found.group(), evidence=(found.group(),))
            return


def _search(rule: str, text: str) -> re.Match[str] | None:
    return re.search(rule, text, re.IGNORECASE)


def _number(word: str) -> int:
    return NUMBERS[word.lower()] if word.lower() in NUMBERS else int(word)


def _whole(amount: float) -> int | float:
    return int(amount) if amount == int(amount) else amount
