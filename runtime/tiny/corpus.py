"""The text that `builtin:tiny` has read: short dialogues of many kinds, and plain sentences, generated from `words.py`.

The kinds are what people fine-tune for (routing, extraction, answering, arithmetic, tone, summaries, copying), so that
the base follows a chat template a little and an adapter has something to steer. Same seed, same text, on any machine.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator

from ftc.runtime.tiny.words import (
    CLOSINGS,
    COLOURS,
    COMMON,
    DAYS,
    FACTS,
    MATTERS,
    NAMES,
    OPENINGS,
    PLACES,
    QUALITIES,
    THINGS,
)

Turns = tuple[str, ...]  # user, assistant, user, assistant ...

_DOMAINS = tuple(THINGS)
_ALL_THINGS = tuple(dict.fromkeys(thing for things in THINGS.values() for thing in things))


def label_of(thing: str, matter: str) -> str:
    """The snake_case name of an intent: `credit_card_lost`."""
    return f"{thing.replace(' ', '_')}_{matter}"


def question(rng: random.Random, thing: str, matter: str) -> str:
    """One way to put it, as people type: with or without a greeting, a capital, a last word."""
    text = rng.choice(OPENINGS) + rng.choice(MATTERS[matter]).format(thing) + rng.choice(CLOSINGS)
    return text[0].upper() + text[1:] if rng.random() < 0.6 else text


def _routing(rng: random.Random) -> Turns:
    thing, matter = rng.choice(_ALL_THINGS), rng.choice(tuple(MATTERS))
    return (question(rng, thing, matter), label_of(thing, matter))


def _choosing(rng: random.Random) -> Turns:
    """Routing with the labels in the prompt, as a prompted model gets them."""
    thing, matter = rng.choice(_ALL_THINGS), rng.choice(tuple(MATTERS))
    others = [label_of(rng.choice(_ALL_THINGS), rng.choice(tuple(MATTERS))) for _ in range(rng.randrange(1, 5))]
    labels = [label_of(thing, matter), *others]
    rng.shuffle(labels)
    return (
        f"Answer with one of these labels: {', '.join(labels)}\n\n{question(rng, thing, matter)}",
        label_of(thing, matter),
    )


def _domain(rng: random.Random) -> Turns:
    domain = rng.choice(_DOMAINS)
    text = question(rng, rng.choice(THINGS[domain]), rng.choice(tuple(MATTERS)))
    return (f"Topic: {text}", domain)


def _mood(rng: random.Random) -> Turns:
    matter = rng.choice(("complaint", "praise", "information"))
    mood = {"complaint": "negative", "praise": "positive", "information": "neutral"}[matter]
    return (f"Mood: {question(rng, rng.choice(_ALL_THINGS), matter)}", mood)


def _extraction(rng: random.Random) -> Turns:
    name, place, day, thing = rng.choice(NAMES), rng.choice(PLACES), rng.choice(DAYS), rng.choice(_ALL_THINGS)
    number = rng.randrange(100, 1000)
    text = rng.choice(
        (
            f"{name} from {place} asked on {day} about {thing} {number}.",
            f"On {day} {name} wrote from {place}: where is {thing} {number}?",
        )
    )
    return (f"Extract: {text}", json.dumps({"name": name, "place": place, "day": day, "number": number}))


def _arithmetic(rng: random.Random) -> Turns:
    left, right = rng.randrange(10), rng.randrange(10)
    if rng.random() < 0.5:
        return (f"What is {left} + {right}?", str(left + right))
    left, right = max(left, right), min(left, right)
    return (f"What is {left} - {right}?", str(left - right))


def _copying(rng: random.Random) -> Turns:
    words = rng.sample(_ALL_THINGS, rng.randrange(1, 4))
    return (f"Repeat: {', '.join(words)}", ", ".join(words))


def _naming(rng: random.Random) -> Turns:
    words = rng.sample(COMMON, rng.randrange(1, 5))
    return (f"Name: {' '.join(words)}", "_".join(words))


def _fact(rng: random.Random) -> Turns:
    asked, answer = rng.choice(FACTS)
    return (asked, answer)


def _opposite(rng: random.Random) -> Turns:
    pair = rng.choice(QUALITIES)
    first = rng.randrange(2)
    return (f"What is the opposite of {pair[first]}?", pair[1 - first])


def _reply(rng: random.Random) -> Turns:
    thing, matter = rng.choice(_ALL_THINGS), rng.choice(tuple(MATTERS))
    subject = f"{matter.replace('_', ' ')}"
    answer = rng.choice(
        (
            f"I am sorry to hear that. I will look at the {thing} ({subject}) for you.",
            f"Thank you for writing. About the {thing}: please give me a moment.",
            f"Of course. Let me check the {thing} and come back to you by {rng.choice(DAYS)}.",
        )
    )
    return (f"Reply: {question(rng, thing, matter)}", answer)


def _dialogue(rng: random.Random) -> Turns:
    name = rng.choice(NAMES)
    return (f"My name is {name}.", f"Hello {name}, how can I help?", "What is my name?", f"Your name is {name}.")


def _summary(rng: random.Random) -> Turns:
    sentences = [_sentence(rng) for _ in range(3)]
    return ("Summarize: " + " ".join(sentences), sentences[0])


def _sentence(rng: random.Random) -> str:
    name, place, day, thing = rng.choice(NAMES), rng.choice(PLACES), rng.choice(DAYS), rng.choice(_ALL_THINGS)
    high, low = rng.choice(QUALITIES)
    return rng.choice(
        (
            f"The {thing} is {high}, not {low}.",
            f"{name} went to {place} on {day} with a {rng.choice(COLOURS)} {thing}.",
            f"In {place} the {thing} was {low} last year and is {high} now.",
            f"{name} says that the {thing} costs {rng.randrange(2, 99)} euros.",
            f"On {day} we talked about the {thing} and the {rng.choice(_ALL_THINGS)}.",
        )
    )


_KINDS: tuple[tuple[Callable[[random.Random], Turns], int], ...] = (
    (_routing, 40),
    (_choosing, 4),
    (_domain, 5),
    (_mood, 5),
    (_extraction, 6),
    (_arithmetic, 5),
    (_copying, 4),
    (_naming, 10),
    (_fact, 3),
    (_opposite, 2),
    (_reply, 7),
    (_dialogue, 3),
    (_summary, 3),
)


def dialogues(count: int, seed: int) -> Iterator[Turns]:
    """`count` short dialogues, user first, turns alternating."""
    rng = random.Random(seed)  # noqa: S311 - text, not secrets
    kinds, weights = zip(*_KINDS, strict=True)
    for _ in range(count):
        yield rng.choices(kinds, weights)[0](rng)


def sentences(count: int, seed: int) -> Iterator[str]:
    """`count` plain sentences."""
    rng = random.Random(seed)  # noqa: S311 - text, not secrets
    for _ in range(count):
        yield _sentence(rng)
