"""The `ftc` command. Knows the verbs and how a refusal ends; each verb is a module of `ftc/commands`, loaded when used.

Start-up is most of what a planning command takes, so nothing heavier than click is imported here.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from ftc.api import SPEC_FILE
from ftc.spec.diagnostics import Refused

# verb -> what `ftc --help` says of it, so that help imports no command
COMMANDS = {
    "init": "A first spec, from a sentence and the files that are here.",
    "check": "Validate the spec and look at the data.",
    "advise": "Decide whether and how to fine-tune, and say why.",
    "estimate": "Memory, time and money, for a spec or for flags.",
    "compile": "Write the plan, with its estimate.",
    "run": "Carry out the plan: train, evaluate, export, report.",
    "review": "The planner on screen: look, ask what if, approve, run.",
    "calibrate": "Let past runs correct the next estimates.",
    "runs": "What ran, and what came out.",
    "watch": "A run on screen: stages, curves, memory, money.",
    "annotate": "Rank answers side by side; writes preference data.",
    "chat": "Talk to the result of a run.",
    "export": "A run for another target, or a plan as the configuration of another tool.",
    "import": "A configuration of another tool, as a spec.",
    "diff": "Where two plans or two specs differ, and who decided it.",
    "explain": "The page of a code, or where a value of a plan comes from.",
    "models": "The models that are known by name.",
    "gpus": "GPUs and their prices, with source and age.",
    "doctor": "What this machine has, and what is missing.",
    "schema": "The language of specs or plans, as JSON Schema.",
    "completion": "What bash, zsh or fish need to complete all this.",
}

EPILOG = """\b
A first session:
  ftc init       a spec from a sentence and the files that are here
  ftc check      is the spec sound, is the data?
  ftc advise     which method, why, at what cost?
  ftc review     all of it on screen; so does `ftc` alone, beside a spec
  ftc compile && ftc run

After it:
  ftc chat       talk to the result; ftc export puts it where it is to serve
  ftc diff       what changed between two plans
  ftc calibrate  let what runs took correct the next estimates
  ftc explain CODE       any code that was printed, with its evidence
  ftc VERB --help        every verb shows examples; --json is there for scripts

Exit codes: 0 done; 1 the run failed; 2 the spec, the plan or the command line is wrong; 3 nothing that
satisfies the spec can be run, or the plan has drifted; 4 finished below goal.success; 130 interrupted.
"""


class Verbs(click.Group):
    """The verbs, each imported only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = "import_" if cmd_name == "import" else cmd_name  # `import` is a word of Python's
        command: click.Command = getattr(import_module(f"ftc.commands.{module}"), f"{cmd_name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            close = get_close_matches(args[0], COMMANDS, n=1)
            if not close:
                raise
            raise click.UsageError(f"{error.message} Did you mean {close[0]!r}?", ctx) from None


@click.group(
    cls=Verbs, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True
)
@click.version_option(package_name="finetune-compiler", prog_name="ftc")
@click.pass_context
def ftc(context: click.Context) -> Any:
    """The fine-tuning compiler: goal, data and budget in; method, plan and trained model out."""
    if context.invoked_subcommand is not None:
        return None
    if Path(SPEC_FILE).is_file() and sys.stdin.isatty() and sys.stdout.isatty():
        return context.invoke(ftc.get_command(context, "review"))  # type: ignore[arg-type]
    click.echo(context.get_help())
    return 0


def main(arguments: list[str] | None = None) -> None:
    """Run one command and leave with its exit code; every expected failure ends as diagnostics, never a traceback."""
    as_json = "--json" in (sys.argv[1:] if arguments is None else arguments)
    try:
        result: Any = ftc.main(args=arguments, prog_name="ftc", standalone_mode=False)
        sys.exit(result if isinstance(result, int) else 0)
    except Refused as refused:
        from ftc.views.diagnostics import show_refusal

        show_refusal(refused, as_json=as_json)
        sys.exit(refused.exit_code)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        if as_json:
            from ftc.views.output import write_json

            write_json({"error": error.format_message(), "exit_code": 2})
        else:
            error.show()
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # `ftc advise | head`: whoever read us has gone, and has what they wanted
        sys.exit(0)
