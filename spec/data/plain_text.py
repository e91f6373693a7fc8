"""Raw text: a file is one document, a long one several, cut where paragraphs end."""

from __future__ import annotations

from typing import BinaryIO

from ftc.spec.data.records import Broken, Items
from ftc.spec.data.streams import lines

DOCUMENT_CHARACTERS = 1 << 20  # from here on, the next blank line ends a document
LONGEST_DOCUMENT = 4 << 20  # characters; here it ends without one


def read(stream: BinaryIO) -> Items:
    """Documents, each as `{"text": ...}`, with the line they start at."""
    held: list[str] = []
    size, start = 0, 1
    for number, line in enumerate(lines(stream), 1):
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            yield number, Broken("D103", f"byte {error.start + 1} of the line is not UTF-8")
            continue
        held.append(text)
        size += len(text) + 1
        if (size > DOCUMENT_CHARACTERS and not text.strip()) or size > LONGEST_DOCUMENT:
            yield start, {"text": "\n".join(held)}
            held, size, start = [], 0, number + 1
    if any(line.strip() for line in held):
        yield start, {"text": "\n".join(held)}


def read_by_line(stream: BinaryIO) -> Items:
    """Each line as a text of its own: how prompts are listed."""
    for number, line in enumerate(lines(stream), 1):
        if not line.strip():
            continue
        try:
            yield number, {"text": line.decode()}
        except UnicodeDecodeError as error:
            yield number, Broken("D103", f"byte {error.start + 1} of the line is not UTF-8")
