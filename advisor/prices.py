"""What GPUs cost an hour: the user's own CSV, else SkyPilot's catalogue on disk, else the built-in table.

Survives the faults of price lists: a spot price of 0 means no data, a spot price above the on-demand price is no
bargain, a row that prices the GPU without its host is left out, and one name may be two cards, so that the memory
decides. Never goes to the network. `catalogue/prices.csv` has the commit that each built-in row was read at.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from ftc.advisor.gpus import find_gpu
from ftc.advisor.values import Offer

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """Offers from one place, and how many rows of it were not usable."""

    offers: tuple[Offer, ...]
    source: str
    as_of: str
    left_out: int = 0


def price_list() -> PriceList:
    """The list to use: `FTC_PRICES` (a CSV), else SkyPilot's catalogue on this disk, else the built-in one."""
    own = os.environ.get("FTC_PRICES", "")
    if own:
        return _own(own)
    sky = Path("~/.sky/catalogs/v8").expanduser()
    if sky.is_dir():
        found = _skypilot(str(sky))
        if found.offers:
            return found
    return _built_in()


def offers() -> tuple[Offer, ...]:
    """All offers of the list in use, cheapest first within a GPU."""
    return price_list().offers


def prices_as_of() -> str:
    """The date of the list in use, YYYY-MM-DD."""
    return price_list().as_of


def clean_spot(usd_per_hour: float | None, spot: float | None) -> float | None:
    """A spot price that means something: above nothing and below the on-demand price."""
    if spot is None or spot <= 0 or (usd_per_hour is not None and spot >= usd_per_hour):
        return None
    return spot


@lru_cache(maxsize=1)
def _built_in() -> PriceList:
    """The table that ships with ftc; 3 ms."""
    text = files("ftc.advisor").joinpath("catalogue/prices.csv").read_text()
    return _plain(csv.DictReader(text.splitlines()), "built-in table")


@lru_cache(maxsize=4)
def _own(path: str) -> PriceList:
    """The user's own list, in the columns of the built-in one; only gpu, cloud, count and usd_per_hour are needed."""
    with Path(path).expanduser().open(newline="", encoding="utf-8-sig") as file:
        return _plain(csv.DictReader(file), path)


def _plain(rows: Iterable[Row], source: str) -> PriceList:
    """Rows in our own columns."""
    found, left_out, dates = [], 0, set()
    for row in rows:
        offer = _offer(row, source)
        if offer is None:
            left_out += 1
            continue
        dates.add(offer.as_of)
        found.append(offer)
    return PriceList(offers=_sorted(found), source=source, as_of=max(dates, default=""), left_out=left_out)


def _offer(row: Row, source: str) -> Offer | None:
    """One row as an offer; None where it lacks a price, prices only a part, or names no GPU that is known."""
    price = _number(row.get("usd_per_hour"))
    memory = _number(row.get("memory_gib"))
    device, _ = find_gpu(row.get("gpu") or "", memory)
    if price is None or price <= 0 or device is None or row.get("scope") == "gpu only":
        return None
    return Offer(
        cloud=row.get("cloud") or "own",
        instance=row.get("instance") or "",
        gpu=device.name,
        count=int(_number(row.get("count")) or 1),
        region=row.get("region") or "",
        usd_per_hour=price,
        spot_usd_per_hour=clean_spot(price, _number(row.get("spot_usd_per_hour"))),
        source=row.get("source") or source,
        as_of=row.get("as_of") or "",
    )


@lru_cache(maxsize=4)
def _skypilot(folder: str) -> PriceList:
    """SkyPilot's catalogue: one `vms.csv` a cloud. The cheapest row of each instance and region counts."""
    found: dict[tuple[str, str, str], Offer] = {}
    left_out, newest = 0, 0.0
    for file in sorted(Path(folder).glob("*/vms.csv")):
        newest = max(newest, file.stat().st_mtime)
        as_of = datetime.fromtimestamp(file.stat().st_mtime, UTC).strftime("%Y-%m-%d")
        with file.open(newline="", encoding="utf-8") as rows:
            for row in csv.DictReader(rows):
                offer = _sky_offer(row, file.parent.name, as_of)
                if offer is None:
                    left_out += bool(row.get("AcceleratorName"))
                    continue
                key = (offer.cloud, offer.instance, offer.region)
                if key not in found or offer.usd_per_hour < found[key].usd_per_hour:
                    found[key] = offer
    as_of = datetime.fromtimestamp(newest, UTC).strftime("%Y-%m-%d") if newest else ""
    return PriceList(offers=_sorted(found.values()), source="SkyPilot catalogue", as_of=as_of, left_out=left_out)


def _sky_offer(row: Row, cloud: str, as_of: str) -> Offer | None:
    """One row of SkyPilot's catalogue. A row without an instance type prices an accelerator without its host."""
    price, count = _number(row.get("Price")), _number(row.get("AcceleratorCount"))
    if not row.get("AcceleratorName") or not row.get("InstanceType") or not price or not count or count < 1:
        return None
    device, _ = find_gpu(row["AcceleratorName"], _sky_memory_gib(row))
    if device is None:
        return None
    return Offer(
        cloud=cloud,
        instance=row["InstanceType"],
        gpu=device.name,
        count=int(count),
        region=row.get("Region") or "",
        usd_per_hour=price,
        spot_usd_per_hour=clean_spot(price, _number(row.get("SpotPrice"))),
        source="SkyPilot catalogue",
        as_of=as_of,
    )


def _sky_memory_gib(row: Row) -> float | None:
    """Memory of one GPU, where the row's `GpuInfo` has it."""
    try:
        info = json.loads((row.get("GpuInfo") or "").replace("'", '"'))
        return float(info["Gpus"][0]["MemoryInfo"]["SizeInMiB"]) / 1024
    except (ValueError, KeyError, IndexError, TypeError):
        return None


def _sorted(found: Iterable[Offer]) -> tuple[Offer, ...]:
    """By GPU, then by price of one GPU, then by name: the same list in the same order always."""
    return tuple(sorted(found, key=lambda o: (o.gpu, o.usd_per_hour / o.count, o.cloud, o.instance, o.region)))


def _number(text: str | None) -> float | None:
    """A figure, or None for an empty or unreadable cell."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if value == value else None
