"""Read rendered files with the engines' own packages: PYTHON check_engines.py FILE... Imports nothing of ftc.

SkyPilot builds its Task; Kubernetes objects go through kubernetes-validate (strict), TrainJob and JobSet through the
models of kubeflow_trainer_api. Prints one JSON object: file -> what was wrong (nothing: accepted).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ["SKYPILOT_DISABLE_USAGE_COLLECTION"] = "1"


def skypilot(file: Path) -> None:
    import sky
    import yaml

    read = yaml.safe_load(file.read_text("utf-8"))
    os.chdir(file.parent)
    for here in read["file_mounts"].values():  # SkyPilot looks whether local files are there
        if isinstance(here, str):
            Path(here).parent.mkdir(parents=True, exist_ok=True)
            Path(here).touch()
        else:
            here["source"] = None  # a bucket is looked up in the cloud
            here["name"] = "some-bucket"
    read["secrets"] = dict.fromkeys(read.get("secrets", {}), "given-on-the-command-line")
    sky.Task.from_yaml_config(read)


def kubernetes(file: Path) -> None:
    import kubernetes_validate
    import yaml
    from kubeflow_trainer_api import models

    for document in yaml.safe_load_all(file.read_text("utf-8")):
        if document["kind"] == "TrainJob":
            models.TrainerV1alpha1TrainJob.from_dict(document)
        elif document["kind"] == "JobSet":
            models.JobsetV1alpha2JobSet.from_dict(document)
        else:
            kubernetes_validate.validate(document, "1.37.0", strict=True)


def main(files: list[str]) -> None:
    found = {}
    for file in files:
        try:
            (skypilot if ".sky." in file else kubernetes)(Path(file))
            found[file] = ""
        except (Exception, SystemExit) as error:
            found[file] = f"{type(error).__name__}: {error}"[:2000]
    sys.stdout.write("\n" + json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
