"""`make soak`: one run killed fifty times at random moments ends with the weights of an undisturbed one.

`make test` has a slice of it (`test_runtime_resume.py`). `FTC_SOAK_SEED` chooses other moments.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from tests.runtime_plans import write_plan
from tests.test_runtime_resume import finish, start, weights

pytestmark = [pytest.mark.soak, pytest.mark.train]
pytest.importorskip("trl")

KILLS = 50
TRAIN = {"steps": 400, "save_steps": 4, "eval_steps": 100, "logging_steps": 20, "epochs": 30.0}


@pytest.mark.parametrize("method", ["sft-lora"])
def test_fifty_kills_change_nothing(tmp_path: Path, method: str) -> None:
    rng = random.Random(int(os.environ.get("FTC_SOAK_SEED", "0")))
    alone = write_plan(tmp_path / "alone", method, train=TRAIN, scored=False)
    assert finish(alone, tmp_path / "alone" / "runs")[0] == 0
    disturbed = write_plan(tmp_path / "disturbed", method, train=TRAIN, scored=False)
    out = tmp_path / "disturbed" / "runs"
    killed = 0
    while killed < KILLS:
        running = start(disturbed, out)
        began = len(running.events())
        # Half of the lives last into training, the others end wherever they are: starting, loading, writing.
        if rng.random() < 0.5:
            running.until(lambda events, began=began: any(each["kind"] == "checkpoint" for each in events[began:]))
        time.sleep(rng.expovariate(1.0))
        if running.process.poll() is not None:
            break  # done before the fiftieth: said below
        running.process.kill()
        running.process.wait()
        killed += 1
    code, codes, running = finish(disturbed, out)
    assert code == 0, codes
    assert killed == KILLS, f"the run was through after {killed} kills: give it more steps"
    assert weights(running.folder) == weights(tmp_path / "alone" / "runs" / running.folder.name)
