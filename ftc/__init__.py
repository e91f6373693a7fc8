"""ftc, the fine-tuning compiler: goal, data and budget in; method, plan and trained model out."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("finetune-compiler")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0+unknown"
