"""The planner's two speeds: from its start to the first paint, and from a key press to the advice that follows.

    python benchmarks/tui/run.py [--rounds 5] [--write]

Both are given as wall time and as processor time, because on a machine that does other things the first says little. An
empty textual application is started beside it in the same rounds: what it takes, no planner can save. Targets: first
paint under 700 ms, advice under 100 ms, on an idle core.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import pty
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.pilot import Pilot

SPEC = """\
version: 1
name: support-router
goal: {task: generation, domain: customer-support, prompting: insufficient}
data:
  demonstrations: {rows: 6000, prompt_tokens: 400, completion_tokens: 250, format: chat}
model: {base: Qwen/Qwen2.5-7B-Instruct}
hardware: {gpu: rtx-4090, count: 1}
budget: {usd: 50, hours: 8}
"""
EMPTY = """\
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("painted")
Empty().run()
"""
TICKS = os.sysconf("SC_CLK_TCK")
DEADLINE_SECONDS = 60.0


def first_paint(command: list[str], sign: str, folder: Path) -> tuple[float, float]:
    """Seconds (wall, processor) until a terminal of 120x40 shows `sign`."""
    began = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
        os.execv(command[0], command)  # noqa: S606 - our own interpreter
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    shown = b""
    try:
        while sign.encode() not in shown:
            if time.perf_counter() - began > DEADLINE_SECONDS:
                raise TimeoutError(f"{sign!r} never came up")
            if select.select([terminal], [], [], 0.05)[0]:
                shown += os.read(terminal, 65536)
        wall = time.perf_counter() - began
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return wall, (int(fields[11]) + int(fields[12])) / TICKS
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


async def key_to_advice(folder: Path) -> list[tuple[float, float]]:
    """Seconds (wall, processor) from a press of `right` on a slider to the advice on the screen, for every stop of rank
    and of row length: each one a decision that was not taken before."""
    from ftc.screens.app import FtcApp
    from ftc.screens.knobs import LENGTH, RANK
    from ftc.screens.planner import Planner
    from ftc.screens.session import Session

    found = []
    for knob, stops in (("k", RANK), ("l", LENGTH)):
        planner = Planner(Session(folder / "ftc.yaml"))
        async with FtcApp(planner).run_test(size=(120, 40)) as pilot:
            await settled(pilot)
            await pilot.press(knob)
            for _ in stops[1:]:
                await settled(pilot)
                session, before = planner.session, planner.session.text
                wall, processor = time.perf_counter(), time.process_time()
                pilot.app.simulate_key("right")
                while session.text == before or session.advice is None or session.advice.loaded.text != session.text:
                    if time.perf_counter() - wall > DEADLINE_SECONDS:
                        raise TimeoutError("no advice followed")
                    await asyncio.sleep(0.0005)
                found.append((time.perf_counter() - wall, time.process_time() - processor))
    return found


async def settled(pilot: Pilot[int]) -> None:
    """Until nothing is under way."""
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


def milliseconds(found: list[tuple[float, float]]) -> dict[str, dict[str, int]]:
    """Median and slowest, on both clocks."""
    clocks = {"wall": [each[0] for each in found], "processor": [each[1] for each in found]}
    return {
        clock: {"median": round(1000 * statistics.median(some)), "max": round(1000 * max(some))}
        for clock, some in clocks.items()
    }


def main() -> None:
    """Measure, print, and keep where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="Keep the figures in results.json beside this file.")
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "ftc.yaml").write_text(SPEC)
        (folder / "empty.py").write_text(EMPTY)
        python = sys.executable
        empty, painted, advised = [], [], []
        for _ in range(asked.rounds):
            empty.append(first_paint([python, str(folder / "empty.py")], "painted", folder))
            painted.append(first_paint([python, "-m", "ftc", "review"], "Candidates", folder))
            advised.append(first_paint([python, "-m", "ftc", "review"], "learning_rate", folder))
        keys = asyncio.run(key_to_advice(folder))
    result = {
        "rounds": asked.rounds, "cores": os.cpu_count(), "load": round(load, 1),
        "milliseconds": {
            "empty textual app, first paint": milliseconds(empty),
            "ftc review, first paint": milliseconds(painted),
            "ftc review, first advice": milliseconds(advised),
            "key press to advice": milliseconds(keys),
        },
    }  # fmt: skip
    text = json.dumps(result, indent=1)
    print(text)
    if asked.write:
        Path(__file__).with_name("results.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
