"""`ftc schema`: the languages of ftc, for editors and validators."""

from __future__ import annotations

import click

from ftc.commands.options import json_option


@click.command("schema")
@click.argument("language", type=click.Choice(["spec", "plan"]))
@json_option
def schema_command(language: str, *, as_json: bool) -> None:
    """Print the JSON Schema (2020-12) of LANGUAGE. It is JSON with or without --json.

    \b
    Examples:
      ftc schema spec > ftc.schema.json    then, as the first line of ftc.yaml:
      # yaml-language-server: $schema=ftc.schema.json
    """
    from ftc.views.output import write_json

    if language == "plan":
        from ftc.compiler.plan_file import plan_schema

        write_json(plan_schema())
        return
    from ftc.spec.load import spec_schema

    write_json(spec_schema())
