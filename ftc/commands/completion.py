"""`ftc completion`: what a shell needs to complete verbs, options and their words. click makes it; this prints it."""

from __future__ import annotations

import click

from ftc.commands.options import json_option


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@json_option
def completion_command(*, shell: str, as_json: bool) -> None:
    """Print the completion script of SHELL, for its start-up file.

    \b
    Examples:
      ftc completion bash >> ~/.bashrc
      ftc completion zsh >> ~/.zshrc
      ftc completion fish > ~/.config/fish/completions/ftc.fish
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"no completion for {shell}")
    script = found(click.get_current_context().find_root().command, {}, "ftc", "_FTC_COMPLETE").source()
    if as_json:
        from ftc.views.output import write_json

        write_json({"shell": shell, "script": script})
    else:
        click.echo(script)
