"""Read configurations with the parser of the tool that they are for: PYTHON check.py TOOL FILE...

Runs in the tool's own environment, imports nothing of ftc, touches no network, no weights and no data. Prints one JSON
object: file -> what was wrong (nothing: accepted). A key that the tool does not know counts as wrong, also where the
tool itself would pass over it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
import types
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "WANDB_MODE": "offline"}
Json = Any


def axolotl(file: Path) -> None:
    """The validator that `axolotl train` calls, with the facts of one H100 passed in."""
    import yaml
    from axolotl.utils.config import validate_config
    from axolotl.utils.dict import DictDefault
    from axolotl.utils.schemas import datasets
    from axolotl.utils.schemas.config import AxolotlInputConfig
    from axolotl.utils.schemas.trl import TRLConfig

    config = yaml.safe_load(file.read_text("utf-8"))
    unknown = config.keys() - AxolotlInputConfig.model_fields.keys()
    unknown |= config.get("trl", {}).keys() - TRLConfig.model_fields.keys()
    kind = {"dpo": datasets.DPODataset, "kto": datasets.KTODataset}.get(config.get("rl"), datasets.SFTDataset)
    for rows in (*config["datasets"], *config.get("test_datasets", [])):
        unknown |= rows.keys() - kind.model_fields.keys()
    if unknown:
        raise ValueError(f"unknown keys: {sorted(unknown)}")
    gpu = {"bf16": True, "fp8": False, "tf32": True, "n_gpu": 1, "n_node": 1, "compute_capability": "sm_90"}
    validate_config(DictDefault(config), capabilities=gpu, env_capabilities={"torch_version": "2.9.0"})


def llamafactory(file: Path) -> None:
    """What `llamafactory-cli train` does before it loads anything; and each data set's description."""
    import yaml

    if (
        "torchaudio" not in sys.modules and importlib.util.find_spec("torchaudio") is None
    ):  # imported for audio models, which no plan of ours has
        sys.modules["torchaudio"] = types.ModuleType("torchaudio")
        sys.modules["torchaudio"].__spec__ = ModuleSpec("torchaudio", None)
    from llamafactory.data.parser import get_dataset_list
    from llamafactory.hparams import get_train_args

    pretend_gpu()
    config = yaml.safe_load(file.read_text("utf-8"))
    config["dataset_dir"] = str(file.parent / config["dataset_dir"])
    with tempfile.TemporaryDirectory() as folder:
        get_train_args({**config, "output_dir": folder})
    described = json.loads((file.parent / "data" / "dataset_info.json").read_text("utf-8"))
    for name, each in described.items():
        (read,) = get_dataset_list([name], config["dataset_dir"])
        known = {"file_name", "formatting", "columns", "tags", "ranking"}
        missing = [key for key in (*each["columns"], *each.get("tags", {})) if not hasattr(read, key)]
        if each.keys() - known or missing:
            raise ValueError(f"unknown keys: {sorted(each.keys() - known)} {missing}")


def pretend_gpu() -> None:
    """transformers refuses bf16 where it sees no GPU: a fact of this machine, not of the configuration."""
    import transformers.training_args as arguments

    arguments.is_torch_bf16_gpu_available = lambda: True


def trl(file: Path) -> None:
    """The parser of `trl sft|dpo|...`, which refuses unknown keys."""
    from importlib import import_module

    pretend_gpu()
    (line,) = [each for each in file.read_text("utf-8").splitlines() if each.startswith("# Made by ftc")]
    verb = line.split(": trl ")[1].split()[0]
    parser = import_module(f"trl.scripts.{verb}").make_parser()
    parser.parse_args_and_config(args=["--config", str(file)])


def torchtune(file: Path) -> None:
    """`tune validate`; and the keys at the top, which it does not look at, against those of torchtune's own configs."""
    import yaml
    from omegaconf import OmegaConf
    from torchtune import config as tune

    read = OmegaConf.load(file)
    tune.validate(read)
    shipped = Path(str(importlib.util.find_spec("recipes").origin)).parent  # importing it is refused
    known: set[str] = set()
    for each in (shipped / "configs").rglob("*.yaml"):
        known |= yaml.safe_load(each.read_text("utf-8")).keys()
    if unknown := set(read.keys()) - known:
        raise ValueError(f"unknown keys: {sorted(unknown)}")
    recipe = file.read_text("utf-8").split("tune run ")[1].split()[0]
    if not (shipped / f"{recipe}.py").is_file():
        raise ValueError(f"no recipe {recipe}")


CHECKS: dict[str, Callable[[Path], None]] = {
    "axolotl": axolotl,
    "llamafactory": llamafactory,
    "trl": trl,
    "torchtune": torchtune,
}


def main(tool: str, files: list[str]) -> None:
    found: dict[str, str] = {}
    for file in files:
        try:
            CHECKS[tool](Path(file))
            found[file] = ""
        except (Exception, SystemExit) as error:
            found[file] = f"{type(error).__name__}: {error}"[:2000]
    sys.stdout.write("\n" + json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
