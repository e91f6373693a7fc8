"""Answers for prompts that have none: sampled by a process of their own, kept as they come.

They are appended to `<out>.answers.jsonl`, so that a session that goes on ranks the same answers and samples nothing
twice. The process is `ftc.runtime.sampling`; nothing here imports torch.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ftc.runtime.run_folder import RunFolder
from ftc.screens.ballots import Row
from ftc.spec.rows import Prompt

LINE_LIMIT = 2**24  # bytes of one line from the process


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Which models answer, how often and how."""

    models: tuple[str, ...]
    answers: int = 2
    max_new_tokens: int = 256
    temperature: float = 1.0
    seed: int = 0

    @property
    def each(self) -> int:
        """Answers of each model."""
        return max(1, -(-self.answers // len(self.models)))

    def key(self, prompt: Prompt) -> str:
        """Names the answers: another setting, other answers."""
        said = json.dumps(
            [[each.role, each.content] for each in prompt.prompt]
            + [*self.models, self.each, self.max_new_tokens, self.temperature, self.seed],
            ensure_ascii=False,
        )
        return hashlib.sha256(said.encode()).hexdigest()[:16]


def model_of(name: str, runs: Path) -> str:
    """The folder of a run's model, a folder, or a hub id as it is."""
    for folder in (runs / name, Path(name)):
        if RunFolder(folder).model.is_dir():
            return str(RunFolder(folder).model.resolve())
    return str(Path(name).resolve()) if Path(name).is_dir() else name


def answers_path(out: Path) -> Path:
    """`prefs.answers.jsonl` beside `prefs.jsonl`."""
    return out.with_name(f"{out.stem}.answers.jsonl")


def kept(path: Path) -> dict[str, tuple[str, ...]]:
    """The answers that were sampled before, by key."""
    found: dict[str, tuple[str, ...]] = {}
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return {}
    for line in lines:
        try:
            value = json.loads(line)
            found[str(value["id"])] = tuple(str(each) for each in value["answers"])
        except (ValueError, KeyError, TypeError):
            continue  # cut off by a kill: it is sampled again
    return found


def row_with(prompt: Prompt, answers: Sequence[str]) -> Row | None:
    """A row to rank; None where the answers do not differ."""
    different = tuple(dict.fromkeys(each for each in answers if each))
    return Row(prompt=prompt.prompt, answers=different, place=prompt.place) if len(different) > 1 else None


async def sampled(prompts: Sequence[Prompt], told: Sampling, out: Path) -> AsyncIterator[Row | str]:
    """Rows as they become ready, those kept before first; between them, in words, what is being waited for. Raises
    OSError with the end of the process's errors where it fails."""
    path = answers_path(out)
    known = kept(path)
    waiting: dict[str, Prompt] = {}
    for prompt in prompts:
        if told.key(prompt) in known:
            row = row_with(prompt, known[told.key(prompt)])
            if row is not None:
                yield row
        else:
            waiting.setdefault(told.key(prompt), prompt)
    if waiting:
        async for each in _asked(waiting, told, path):
            yield each


async def _asked(waiting: dict[str, Prompt], told: Sampling, path: Path) -> AsyncIterator[Row | str]:
    yield "starting the model"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "ftc.runtime.sampling", limit=LINE_LIMIT,
        env={**os.environ, "TOKENIZERS_PARALLELISM": "false"},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    errors = asyncio.create_task(process.stderr.read()) if process.stderr else None
    feeding = asyncio.create_task(_feed(process, waiting, told))
    done = 0
    try:
        if process.stdout is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as stream:
            async for line in process.stdout:
                value = json.loads(line)
                if "state" in value:
                    yield str(value["state"])
                    continue
                stream.write(line)
                stream.flush()
                done += 1
                row = row_with(waiting[value["id"]], value["answers"])
                yield row if row is not None else f"{value['id']}: every answer is the same"
                yield f"answers to {done:,} of {len(waiting):,} prompts" if done < len(waiting) else ""
        code = await process.wait()
        if code != 0 and errors is not None:
            said = (await errors).decode("utf-8", "replace").strip().splitlines()
            raise OSError(f"sampling ended with {code}: {said[-1] if said else 'no word'}")
    finally:
        feeding.cancel()
        if process.returncode is None:
            process.kill()


async def _feed(process: asyncio.subprocess.Process, waiting: dict[str, Prompt], told: Sampling) -> None:
    """Hand the prompts over; the pipe makes this wait for the model."""
    if process.stdin is None:
        return
    settings = {
        "models": list(told.models), "each": told.each, "max_new_tokens": told.max_new_tokens,
        "temperature": told.temperature, "seed": told.seed,
    }  # fmt: skip
    lines = [settings]
    lines += [
        {"id": key, "messages": [{"role": turn.role, "content": turn.content} for turn in prompt.prompt]}
        for key, prompt in waiting.items()
    ]
    try:
        for line in lines:
            process.stdin.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            await process.stdin.drain()
        process.stdin.close()
    except (BrokenPipeError, ConnectionResetError):
        pass  # the process has ended; its exit code says why
