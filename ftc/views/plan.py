"""A plan for people: what will happen, what it takes, what to type next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ftc.compiler.plan import Plan, Stage
from ftc.views.numbers import count, duration_range, gib_range, money_range
from ftc.views.output import console, print_table

if TYPE_CHECKING:
    from ftc.engines import Rendered


def show_plan(plan: Plan, written: Path | None) -> None:
    """One line with the whole, one a stage, then the next command."""
    from rich.text import Text

    out = console()
    memory = plan.estimate["memory"]["device_gib"]
    time, cost = duration_range(plan.estimate["hours"]), money_range(plan.estimate["usd"])
    size = count(plan.model["parameters"]) if plan.model["parameters"] else "unknown"  # behind an endpoint
    head = Text(f"{written or 'dry run, nothing written'}", style="bold")
    head.append(f"  {len(plan.stages)} stages  plan {plan.hash[:8]}  {time}  {cost}  peak {gib_range(memory)}")
    out.print(head)
    out.print(
        f"{plan.verdict['method']} of {plan.model['base']} ({size} parameters) on "
        f"{plan.hardware['count'] * plan.hardware['nodes']} x {plan.hardware['gpu']}; "
        f"{count(plan.data['train_rows'])} rows to train on, {count(plan.data['held_out_rows'])} held out\n"
    )
    print_table(_row(index, stage) for index, stage in enumerate(plan.stages, 1))
    name = "" if written is None or written.name == "ftc.plan.json" else f" {written}"
    if written is not None:
        trained = [stage.id for stage in plan.stages if "learning_rate" in stage.arguments]
        closer = f"     look closer  ftc explain {written}:{trained[-1]}.learning_rate" if trained else ""
        out.print(f"\nrun it  ftc run{name}{closer}")


def show_engine_files(result: Rendered, folder: Path | None) -> None:
    """What was rendered for an engine, what is to be said of it, and where it lies."""
    from ftc.views.diagnostics import show

    show(result.diagnostics)
    out = console()
    if folder is None:
        for name, content in result.files.items():
            out.print(f"\n--- {name}, checked, not written (--emit DIR writes it)\n{content}")
        return
    names = ", ".join(str(folder / name) for name in result.files)
    out.print(f"{result.target}: {names}")
    out.print(f"submit it  ftc run --target {result.target}")


def _row(index: int, stage: Stage) -> tuple[str, ...]:
    hours = stage.estimate.get("hours")
    takes = duration_range(hours) if hours and hours["high"] > 0 else ""
    return (f"{index}", stage.id, takes, _said(stage.kind, dict(stage.arguments)))


def _said(kind: str, arguments: dict[str, object]) -> str:
    """What a stage does, in the figures that people ask for."""
    if kind in ("sft", "cpt"):
        lora = arguments["lora"]
        rank = f", rank {lora['rank']}" if isinstance(lora, dict) else ""
        return (
            f"{arguments['steps']:,} steps of {arguments['micro_batch']} x {arguments['gradient_accumulation']} rows, "
            f"learning rate {arguments['learning_rate']:g}{rank}, {arguments['max_length']} tokens a row"
        )
    if kind in ("baseline", "evaluate"):
        metrics = arguments["metrics"]
        return ", ".join(str(each) for each in metrics) if isinstance(metrics, list) else ""
    if kind == "prepare":
        return f"{arguments['held_out_rows']:,} rows held out"
    if kind == "export":
        return str(arguments["target"])
    return ""
