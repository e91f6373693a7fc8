"""An estimate for people: does it fit, how long, how much, and what the memory is made of."""

from __future__ import annotations

from typing import Any

from ftc.views.numbers import duration_range, gib, gib_range, money_range
from ftc.views.output import console

BAR = 40  # characters of the memory bar, the card's whole memory


def show_estimate(result: dict[str, Any]) -> None:
    """The answer in three lines, then the breakdown as bars against the card, then the sources."""
    from rich.text import Text

    out = console()
    memory, card = result["memory"], result["gpu_memory_gib"]
    device = memory["device_gib"]
    verdict = "fits" if result["fits"] else "does not fit"
    style = "green" if result["fits"] else "red"
    out.print(Text.assemble((f"{result['what']} on {result['gpu']}: {verdict}", f"bold {style}")))
    out.print(
        f"memory  {gib_range(device)} of {gib(card)} on the device; allocated {gib_range(memory['allocated_gib'])}"
    )
    speed = result["throughput"]["tokens_per_second_per_gpu"]
    bound = result["throughput"]["bound"]
    out.print(f"time    {duration_range(result['hours'])}   {speed['likely']:,.0f} tokens/s per GPU, {bound}-bound")
    out.print(f"money   {money_range(result['usd'])}")
    out.print(f"host    {gib_range(memory['host_gib'])} of main memory")
    if "scaling" in result:
        out.print(f"scale   {_scale(result['scaling'])}")
    out.print("")
    if "corrected" in result:
        out.print(_corrected(result["corrected"]), style="dim")
    for name, value in memory["breakdown_gib"].items():
        if value > 0:
            out.print(f"  {name:<12}{gib(value):>10}  {'█' * max(1, round(BAR * value / card))}")
    if "exact" in result:
        _show_exact(result["exact"])
    out.print("")
    for source in result["sources"]:
        out.print(f"  {source}", style="dim")


def _scale(found: dict[str, Any]) -> str:
    """Up to how many GPUs more of them pay, and why no more."""
    most = found["pays_up_to"]
    if most is None:
        return str(found["because"])
    return f"more GPUs pay up to {most:,}: {found['because']}"


def _corrected(found: dict[str, dict[str, float]]) -> str:
    """Whether past runs had a say, and how many."""
    memory, time = found["device_gib"], found["seconds"]
    if not memory["runs"] and not time["runs"]:
        return "as computed: no run of this kind on this device is on record (ftc calibrate)"
    said = [
        f"{name} x {each['factor']:.2f} by {each['runs']:.0f} run{'s' if each['runs'] > 1 else ''}"
        for name, each in (("memory", memory), ("time", time))
        if each["runs"]
    ]
    return f"corrected by past runs on this device: {', '.join(said)}"


def _show_exact(exact: dict[str, Any]) -> None:
    """The traced step: the two peaks, what they are made of, and the phases."""
    out = console()
    out.print(f"\ntraced  allocated {gib(exact['allocated_gib'])}, reserved {gib(exact['reserved_gib'])}")
    out.print(f"        {exact['layers_traced']} of {exact['layers']} layers run, in {exact['seconds']:.0f} s")
    for name, value in exact["breakdown_gib"].items():
        if value > 0:
            out.print(f"  {name:<12}{gib(value):>10}")
    for note in exact["notes"]:
        out.print(f"  {note}", style="dim")
