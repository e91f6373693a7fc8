"""The facts that ship with ftc, as files: models, GPUs, prices, each row with its source and date."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files


@cache
def catalogue_digest() -> str:
    """SHA-256 over every file of the catalogue, by name and content: two plans with the same digest knew the same."""
    digest = hashlib.sha256()
    entries = (each for each in files(__name__).iterdir() if each.name.endswith((".json", ".csv")))
    for entry in sorted(entries, key=lambda each: each.name):
        digest.update(entry.name.encode() + b"\0" + entry.read_bytes() + b"\0")
    return digest.hexdigest()
