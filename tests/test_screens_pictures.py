"""The pictures of the screens: each is made by the script, shown on a page, and drawn by textual."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
SCREENS = sorted(each.stem for each in IMAGES.glob("*.svg") if "terminal" in each.read_text()[:4000])


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_images", IMAGES / "make.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_there_are_pictures_of_the_screens() -> None:
    assert {"planner", "watch", "annotate", "init"} <= set(SCREENS)


@pytest.mark.parametrize("name", SCREENS)
def test_a_picture_is_made_by_the_script_and_shown(name: str) -> None:
    assert f'"{name}"' in (IMAGES / "make.py").read_text()
    assert any(re.search(rf"images/{re.escape(name)}\.svg\)", page.read_text()) for page in PAGES)


def test_the_script_draws_a_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = script()
    monkeypatch.setattr(make, "HERE", tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ftc.yaml").write_text(make.SPEC)
    planner = make.FtcApp(make.Planner(make.Session(Path("ftc.yaml"))))
    make.asyncio.run(make.picture(planner, "planner", [], (80, 24)))
    drawn = (tmp_path / "planner.svg").read_text()
    assert drawn.startswith("<svg")
    assert "sft-lora" in drawn
