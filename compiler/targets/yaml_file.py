"""YAML by its own emitter: every string is quoted where it has to be, whatever is in it; block text stays readable."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# Characters that YAML takes for line ends or does not keep outside double quotes.
ESCAPED = re.compile("[\r\x85\u2028\u2029\ufeff]")


def to_yaml(*documents: Mapping[str, Any]) -> str:
    """The documents, keys in the order given. Same values, same text."""
    import yaml

    class Emitter(yaml.SafeDumper):
        """SafeDumper that writes several lines as a block."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: Any, value: str) -> Any:
        # Where a block cannot hold the text (trailing blanks, control characters), the emitter quotes by itself.
        style = '"' if ESCAPED.search(value) else "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Emitter.add_representer(str, text)
    written = [yaml.dump(each, Dumper=Emitter, sort_keys=False, width=120, allow_unicode=True) for each in documents]
    return "---\n".join(written)


def from_yaml(text: str) -> Iterator[Any]:
    """The documents in `text`. Raises yaml.YAMLError where it is no YAML."""
    import yaml

    # libyaml's reader is ten times as fast, where PyYAML was built with it; both only make plain values
    return iter(list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))))
