"""YAML by its own emitter: every string is quoted where it has to be, whatever is in it; block text stays readable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def to_yaml(*documents: Mapping[str, Any]) -> str:
    """The documents, keys in the order given. Same values, same text."""
    import yaml

    class Emitter(yaml.SafeDumper):
        """SafeDumper that writes several lines as a block."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: Any, value: str) -> Any:
        # A block cannot hold trailing blanks or control characters; the emitter falls back to quotes by itself.
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Emitter.add_representer(str, text)
    written = [yaml.dump(each, Dumper=Emitter, sort_keys=False, width=120, allow_unicode=True) for each in documents]
    return "---\n".join(written)
