"""GPUs by the names that people use: the catalogue, and loose matching against it.

One name may be several cards (`A100` is 40 or 80 GB), so memory decides where the name does not. Figures are dense
rates with fp32 accumulation, memory is what the driver reports as total, links are one direction; `catalogue/gpus.csv`
names the source of each row. Knows no prices and asks no driver.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import Literal, cast

from ftc.advisor.values import Device
from ftc.spec.diagnostics import Diagnostic

_KEY = "hardware.gpu"
_MAKERS = re.compile(r"nvidia|geforce|tesla|quadro|amd|radeon|instinct|apple|graphics|gpu|generation|laptop|blackwell")
_MACS = re.compile(r"^i?mac(book)?(pro|air|mini|studio)?(?=m\d)|(?<=[a-z\d])mac(book)?(pro|air|mini|studio)?$")
_MEMORY = re.compile(r"(?<![a-z\d])(\d+(?:\.\d+)?)\s*(?:gib|gb|g)(?![a-z])")
_FORMS = re.compile(r"sxm\d?|pcie|hbm\de?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A row of the catalogue: the device, the memory on its box, and what else it is called."""

    device: Device
    product_gb: float
    names: tuple[str, ...]  # as `_plain` writes them


def find_gpu(name: str, memory_gib: float | None = None) -> tuple[Device | None, Diagnostic | None]:
    """The card called `name`, of `memory_gib` on its box where that is given; None, with an error S110, otherwise.

    Without a size the smallest card of that name is meant, so that a plan which fits does fit. A size that no card of
    that name has is believed (modified cards exist): the device then carries it.
    """
    plain, said_gb = _plain(name)
    wanted_gb = memory_gib or said_gb
    found = _named(plain)
    if not found:
        return None, unknown_gpu(name)
    if wanted_gb is None:
        return min(found, key=lambda card: card.product_gb).device, None
    best = min(found, key=lambda card: abs(card.product_gb - wanted_gb))
    if abs(best.product_gb - wanted_gb) <= 0.1 * best.product_gb:
        return best.device, None
    usable = round(wanted_gb * best.device.memory_gib / best.product_gb, 2)
    return replace(best.device, name=f"{best.device.name} {wanted_gb:g}GB", memory_gib=usable), None


def gpus() -> tuple[Device, ...]:
    """Every device of the catalogue, in its order."""
    return tuple(card.device for card in _cards())


def unknown_gpu(name: str) -> Diagnostic:
    """The error for a name that is in no row, with the nearest ones."""
    from rapidfuzz import process  # 20 ms, only for a message
    from rapidfuzz.distance import OSA, JaroWinkler  # OSA counts two swapped digits as one slip

    plain = _plain(name)[0]
    spelled = {f"{card.device.name}|{each}": each for card in _cards() for each in card.names}
    ranked = process.extract(plain, spelled, scorer=OSA.normalized_similarity, limit=12, score_cutoff=0.5)
    ranked.sort(key=lambda hit: (-hit[1], -JaroWinkler.similarity(plain, hit[0])))
    found = dict.fromkeys(key.split("|")[0] for _, _, key in ranked)
    near = [spoken.lower().replace(" ", "-") for spoken in found][:3]
    say = f"; nearest: {', '.join(near)}" if near else ""
    return Diagnostic(
        code="S110",
        key=_KEY,
        message=f'no GPU called "{name}"{say}. `ftc gpus` lists all',
        fix=f"gpu: {near[0]}" if near else "",
    )


@lru_cache(maxsize=1)
def _cards() -> tuple[Card, ...]:
    """The catalogue; 1 ms."""
    text = files("ftc.advisor").joinpath("catalogue/gpus.csv").read_text()
    return tuple(_card(row) for row in csv.DictReader(text.splitlines()))


def _card(row: dict[str, str]) -> Card:
    """One row as a value."""
    device = Device(
        name=row["name"],
        kind=cast("Literal['cuda', 'rocm', 'mps']", row["kind"]),
        memory_gib=float(row["memory_gib"]),
        bf16_tflops=_number(row["bf16_tflops"]),
        fp16_tflops=_number(row["fp16_tflops"]),
        fp32_tflops=_number(row["fp32_tflops"]),
        bandwidth_gb_s=float(row["bandwidth_gb_s"]),
        link_gb_s=float(row["link_gb_s"]),
        compute_capability=_number(row["compute_capability"]),
        source=row["source"],
        as_of=row["as_of"],
    )
    spoken = (row["name"], *filter(None, row["aliases"].split(";")))
    return Card(
        device=device,
        product_gb=float(row["product_gb"]),
        names=tuple(dict.fromkeys(_plain(each)[0] for each in spoken)),
    )


def _number(text: str) -> float | None:
    """A figure, or None for an empty cell."""
    return float(text) if text else None


def _plain(name: str) -> tuple[str, float | None]:
    """A name without maker, spaces and memory size, and the size where it was written: `A100-80GB` is (a100, 80)."""
    text = _MAKERS.sub(" ", re.sub(r"[_/()-]", " ", name.lower()))
    size = _MEMORY.search(text)
    letters = re.sub(r"[^a-z0-9]", "", _MEMORY.sub(" ", text))
    return letters, float(size.group(1)) if size else None


def _named(plain: str) -> list[Card]:
    """The cards of that name: exactly, then without `rtx` or the form factor."""
    bare = _MACS.sub("", plain)
    for spelled in (plain, bare, plain.removeprefix("rtx"), f"rtx{plain}", f"rx{plain}", _FORMS.sub("", plain)):
        exact = [card for card in _cards() if spelled in card.names]
        if exact:
            return exact
    return []
