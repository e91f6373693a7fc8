"""ftc, the fine-tuning compiler: goal, data and budget in; method, plan and trained model out.

`ftc.advise`, `ftc.compile` and `ftc.run` are the Python API; they live in `ftc.api` and are loaded when first used.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ftc.api import advise, compile, run

try:
    __version__ = version("finetune-compiler")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__", "advise", "compile", "run"]


def __getattr__(name: str) -> Any:
    if name in ("advise", "compile", "run"):
        from ftc import api

        return getattr(api, name)
    raise AttributeError(f"module 'ftc' has no attribute {name!r}")
