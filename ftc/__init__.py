"""ftc, the fine-tuning compiler: goal, data and budget in; method, plan and trained model out.

`ftc.advise`, `ftc.compile` and `ftc.run` are the Python API; they live in `ftc.api` and are loaded when first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ftc.api import advise, compile, run

    __version__: str

__all__ = ["__version__", "advise", "compile", "run"]


def __getattr__(name: str) -> Any:
    if name in ("advise", "compile", "run"):
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
