"""Another tool's configuration as a spec: what was said of model, data and hyper-parameters, in ftc's words.

    spec, notes = import_config(text)

`spec` is the mapping of an `ftc.yaml`; hyper-parameters become `overrides`, so that the spec trains as was configured.
Every key that a spec does not say becomes a note. Reads no file but through the function that it is given.
"""

from __future__ import annotations

from ftc.compiler.imports.importing import SOURCES, SourceTool, import_config

__all__ = ["SOURCES", "SourceTool", "import_config"]
