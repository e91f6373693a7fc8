"""ftc, the fine-tuning compiler: goal, data and budget in; method, plan and trained model out.

`ftc.advise`, `ftc.estimate`, `ftc.compile` and `ftc.run` are the Python API; `ftc.Refused` is what they raise, with
every problem and its place. They live in `ftc.api` and are loaded when first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ftc.api import Refused, advise, compile, estimate, run

    __version__: str

__all__ = ["Refused", "__version__", "advise", "compile", "estimate", "run"]


def __getattr__(name: str) -> Any:
    if name in ("Refused", "advise", "compile", "estimate", "run"):
        from ftc import api

        return getattr(api, name)
    if name == "__version__":
        return _version()
    raise AttributeError(f"module 'ftc' has no attribute {name!r}")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # 20 ms: half of what a command needs to start

    try:
        return version("finetune-compiler")
    except PackageNotFoundError:  # a checkout that was never installed
        return "0+unknown"
