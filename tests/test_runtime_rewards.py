"""Checks in their child process: each kind gives and withholds; hostile functions get a code each and no further."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ftc.compiler.stages import Check
from ftc.runtime.codes import Stopped
from ftc.runtime.rewarding import ENOUGH, Rewarding
from ftc.runtime.rewards.cases import case
from ftc.runtime.rewards.kinds import right
from ftc.runtime.rewards.rewarder import KERNEL, Rewarder

SECONDS, MEMORY_MIB = 2.0, 512
DOUBLE = "assert double(2) == 4\nassert double(0) == 0"


def rewards(
    kind: str, detail: str | None, cases: list[dict[str, Any]], folder: Path, seconds: float = SECONDS
) -> list[float]:
    check = Check(kind=kind, detail=detail, seconds=seconds, memory_mib=MEMORY_MIB)  # type: ignore[arg-type]
    with Rewarder(check, folder) as rewarder:
        return rewarder.rewards(cases)


@pytest.mark.parametrize(
    ("expected", "completion", "is_right"),
    [
        ("42", "42", True), ("42", "42.", True), ("42", "6 times 7 makes 42", True), ("42", "#### 42", True),
        ("42", r"so \boxed{42}", True), ("42", "Answer: 42.0", True), ("1,200", "1200", True), ("-3", "it is -3", True),
        ("#### 7", "7", True), ("Yes", "yes.", True), ("yes", "Answer: yes", True), ("0.5", "0.50", True),
        ("42", "43", False), ("42", "42 or 43", False), ("42", "", False), ("42", "#### 41, not 42", False),
        ("yes", "no", False), ("yes", "yes and no", False), ("", "", False), ("3", "13", False),
    ],
)  # fmt: skip
def test_a_final_answer(expected: str, completion: str, is_right: bool) -> None:
    assert right(expected, completion) is is_right


@pytest.mark.parametrize(
    ("kind", "detail", "earns", "earns_nothing"),
    [
        ("answer", None, {"completion": "so 42", "answer": "42"}, {"completion": "41", "answer": "42"}),
        ("regex", "(yes|no)", {"completion": " yes\n"}, {"completion": "yes and no"}),
        ("json-schema", '{"type": "object", "required": ["a"]}', {"completion": '{"a": 1}'}, {"completion": "{}"}),
        ("json-schema", '{"type": "object"}', {"completion": "{}"}, {"completion": "not JSON"}),
        ("tests", None, {"completion": "def double(x): return 2 * x", "tests": DOUBLE},
         {"completion": "def double(x): return x", "tests": DOUBLE}),
        ("tests", None, {"completion": "Here:\n```python\ndouble = lambda x: 2 * x\n```\nDone.", "tests": DOUBLE},
         {"completion": "Here: double", "tests": DOUBLE}),
        ("function", "mine.py:score", {"completion": "abc", "prompt": "a"}, {"completion": "", "prompt": "a"}),
    ],
)  # fmt: skip
def test_a_kind(kind: str, detail: str | None, earns: Any, earns_nothing: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def score(prompt, completion):\n    return min(1, len(completion))\n")
    assert rewards(kind, detail, [earns, earns_nothing], tmp_path) == [1.0, 0.0]


HOSTILE = {
    "loops": ("while True: pass", "R222"),
    "sleeps": ("import time; time.sleep(60)", "R222"),
    "eats memory": ("return len([0] * 10**10)", "R223"),
    "leaves": ("import os; os._exit(0)", "R223"),
    "faults": ("import ctypes; ctypes.string_at(0)", "R223"),
    "returns text": ("return 'good'", "R224"),
    "returns nothing": ("return None", "R224"),
    "returns no number": ("return float('nan')", "R224"),
    "returns infinity": ("return float('inf')", "R224"),
    "raises": ("return 1 / 0", "R221"),
    "exits": ("raise SystemExit(0)", "R221"),
    "runs a shell": ("import os; return os.system('touch TARGET')", "R225"),
    "runs a program": ("import subprocess; return len(subprocess.run(['touch', 'TARGET']).args)", "R225"),
    "forks": ("import os; return os.fork()", "R225"),
    "execs": ("import os; os.execv('/bin/true', ['true'])", "R225"),
    "kills": ("import os; os.kill(os.getppid(), 9)", "R225"),
    "writes outside": ("open('TARGET', 'w').write('x'); return 1", "R225"),
    "writes outside by descriptor": ("import os; return os.open('TARGET', os.O_CREAT | os.O_WRONLY)", "R225"),
    "removes": ("import os; os.remove(__file__)", "R225"),
    "links out": ("import os; os.symlink('/etc/passwd', 'x'); return len(open('x').read())", "R225"),
    "reads outside": ("return len(open('/etc/passwd').read())", "R225"),
    "lists outside": ("import os; return len(os.listdir('/etc'))", "R225"),  # by the kernel: Python has no say in it
    "opens a socket": ("import socket; socket.socket(); return 1", "R225"),
    "asks the network": ("import urllib.request; urllib.request.urlopen('http://127.0.0.1/'); return 1", "R225"),
    "calls C": ("import ctypes; ctypes.CDLL(None).system(b'touch TARGET'); return 1", "R225"),
    "fills the disk": ("f = open('x', 'wb')\n    while True: f.write(bytes(2**20))", "R225"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_function(what: str, tmp_path: Path) -> None:
    body, code = HOSTILE[what]
    target = tmp_path / "elsewhere" / "owned"
    target.parent.mkdir()
    (tmp_path / "mine").mkdir()
    file = tmp_path / "mine" / "mine.py"
    file.write_text(f"def score(prompt, completion, answer=None, **row):\n    {body.replace('TARGET', str(target))}\n")
    began = time.monotonic()
    with pytest.raises(Stopped) as stopped:
        rewards("function", "mine.py:score", [{"prompt": "a", "completion": "b", "place": "x:1"}], file.parent)
    assert stopped.value.code == code, stopped.value.message
    assert time.monotonic() - began < 20
    assert not list(target.parent.iterdir())
    assert file.exists()


def test_a_file_that_is_hostile_when_it_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import os\nos.system('true')\n\ndef score(**_):\n    return 1\n")
    with pytest.raises(Stopped) as stopped:
        rewards("function", "mine.py:score", [], tmp_path)
    assert stopped.value.code == "R225"


def test_what_a_function_may_do(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("one two three")
    (tmp_path / "beside.py").write_text("LIMIT = 2\n")
    (tmp_path / "mine.py").write_text(
        "import os, tempfile\nfrom pathlib import Path\nimport numpy\nfrom beside import LIMIT\n"
        "WORDS = (Path(__file__).parent / 'words.txt').read_text().split()\n\n"
        "def score(prompt, completion, **row):\n"
        "    print('this goes nowhere')\n"
        "    with tempfile.NamedTemporaryFile('w') as file:\n        file.write(completion)\n"
        "    assert 'HF_TOKEN' not in os.environ\n"
        "    return numpy.float32(len(WORDS) + LIMIT)\n"
    )
    os.environ["HF_TOKEN"] = "a secret"  # noqa: S105
    try:
        assert rewards("function", "mine.py:score", [{"prompt": "a", "completion": "b"}] * 2, tmp_path) == [5.0, 5.0]
    finally:
        del os.environ["HF_TOKEN"]


def test_code_of_answers_harms_nobody_but_itself(tmp_path: Path) -> None:
    target = tmp_path / "owned"
    answers = [
        "def double(x): return 2 * x",
        "while True: pass",
        "import os; os._exit(0)",
        "import sys; sys.exit(0)",
        "x = [0] * 10**10",
        "import os; os.kill(os.getppid(), 9)",
        f"open({str(target)!r}, 'w')\ndef double(x): return 2 * x",
        "import os\nfor fd in range(1, 20):\n    try: os.write(fd, b'passed passed passed')\n    except OSError: pass",
        "import socket; socket.socket()",
        "double = lambda x: 2 * x",
    ]
    cases = [{"prompt": "", "completion": each, "tests": DOUBLE} for each in answers]
    assert rewards("tests", None, cases, tmp_path, seconds=8.0) == [1.0, *[0.0] * 8, 1.0]
    assert not target.exists()


def test_an_expression_that_goes_back_and_forth(tmp_path: Path) -> None:
    with pytest.raises(Stopped) as stopped:
        rewards("regex", "(a+)+b", [{"completion": "a" * 40}], tmp_path)
    assert stopped.value.code == "R222"


@pytest.mark.parametrize("kind", ["function", "tests"])
def test_the_kernel_fences_it_in(kind: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def score(**_):\n    return 1\n")
    check = Check(kind=kind, detail="mine.py:score", seconds=SECONDS, memory_mib=MEMORY_MIB)  # type: ignore[arg-type]
    with Rewarder(check, tmp_path) as rewarder:
        if not rewarder.guards:
            pytest.skip("this kernel has neither")
        assert set(rewarder.guards) <= set(KERNEL)


ALONE = """
import ctypes, os, socket, threading
from ftc.runtime.rewards import limits
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)
if not limits._seccomp(libc):
    raise SystemExit(77)
started = threading.Thread(target=print, args=("thread",))
started.start()
started.join()
for refused in (socket.socket, os.fork, lambda: os.execv("/bin/true", ["true"]), lambda: os.kill(os.getpid(), 0)):
    try:
        refused()
    except PermissionError:
        print("refused")
"""


def test_the_system_calls_are_refused_without_python_having_a_say() -> None:
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip("this kernel has no seccomp")
    assert done.stdout.split() == ["thread", *["refused"] * 4], done.stderr


def test_a_case() -> None:
    row = {
        "prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}],
        "answer": "1",
        "place": "x",
    }
    assert case(row, "a") == {
        "prompt": "q", "completion": "a", "messages": row["prompt"], "place": "x", "answer": "1",
    }  # fmt: skip


# --- what is rewarded, over steps ---------------------------------------------------------------------------------


class Remarks:
    """In the place of a stage's context."""

    def __init__(self) -> None:
        self.codes: list[str] = []

    def remark(self, code: str, message: str) -> None:
        self.codes.append(code)


def _steps(rewards_of: Any, lengths_of: Any, steps: int = 2 * ENOUGH) -> list[str]:
    remarks = Remarks()
    seen = Rewarding(context=remarks, group=4)  # type: ignore[arg-type]
    for step in range(steps):
        seen.add(rewards_of(step), lengths_of(step), [])
    return remarks.codes


MIXED = [0.0, 1.0, 1.0, 0.0] * 4
STEADY = [10, 12, 11, 10] * 4


@pytest.mark.parametrize(
    ("rewards_of", "lengths_of", "codes"),
    [
        (lambda step: MIXED, lambda step: STEADY, []),
        (lambda step: [0.0] * 16, lambda step: STEADY, ["R421"]),
        (lambda step: MIXED if step < 5 else [1.0] * 16, lambda step: STEADY, []),  # all are good: it was learned
        (lambda step: [0.0, 0.5, 1.0, 1.5] * 4, lambda step: [n + 4 * step for n in (1, 9, 18, 29)] * 4, ["R422"]),
        (lambda step: [1.5, 1.0, 0.5, 0.0] * 4, lambda step: [n + 4 * step for n in (1, 9, 18, 29)] * 4, []),
        (lambda step: [0.0, 0.1, 0.0, 0.1] * 4 if step < 15 else [5.0, 6.0, 5.0, 6.0] * 4, lambda step: STEADY,
         ["R423"]),
    ],
    ids=["healthy", "never differ", "solved", "longer is better", "longer is worse", "jumps"],
)  # fmt: skip
def test_reward_statistics(rewards_of: Any, lengths_of: Any, codes: list[str]) -> None:
    assert _steps(rewards_of, lengths_of) == codes
