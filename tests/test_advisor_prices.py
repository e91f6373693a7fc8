"""Price lists, with the faults that they have."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftc.advisor import prices
from ftc.advisor.cost import cost
from ftc.advisor.gpus import find_gpu
from ftc.advisor.prices import clean_spot, offers, price_list, prices_as_of
from ftc.advisor.values import Machine, TimeEstimate
from ftc.spec.estimate import Estimate

SKY_HEADER = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,Price,Region,GpuInfo,SpotPrice\n"


def gpu_info(mib: int) -> str:
    return f"\"{{'Gpus': [{{'Name': 'A100', 'Count': 8, 'MemoryInfo': {{'SizeInMiB': {mib}}}}}]}}\""


@pytest.fixture(autouse=True)
def _at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("FTC_PRICES", raising=False)
    prices._own.cache_clear()
    prices._skypilot.cache_clear()


@pytest.mark.parametrize(
    ("on_demand", "spot", "means"),
    [(2.0, 0.5, 0.5), (2.0, 0.0, None), (2.0, None, None), (1.846, 1.964, None), (2.0, 2.0, None), (None, 1.0, 1.0),
     (2.0, -1.0, None)],
)  # fmt: skip
def test_spot(on_demand: float | None, spot: float | None, means: float | None) -> None:
    assert clean_spot(on_demand, spot) == means


def test_built_in() -> None:
    found = price_list()
    assert len(found.offers) >= 65
    assert found.as_of == prices_as_of()
    assert found.left_out >= 8  # rows of the GPU without its host, and one without an on-demand price
    for each in found.offers:
        assert each.usd_per_hour > 0
        assert each.spot_usd_per_hour is None or 0 < each.spot_usd_per_hour < each.usd_per_hour
        assert find_gpu(each.gpu)[0] is not None
        assert each.source
        assert each.as_of


def test_one_name_two_cards() -> None:
    sold = {each.gpu for each in offers() if each.gpu.startswith("A100")}
    assert sold == {"A100 40GB", "A100 80GB", "A100 80GB PCIe"}


def test_own_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(
        "\ufeffgpu,cloud,count,usd_per_hour,spot_usd_per_hour,memory_gib\n"
        "h100,us,8,16,0.00,\na100,us,1,1.2,0.4,80\npotato,us,1,1,,\nl4,us,1,,,\nl4,us,1,nan,,\n"
    )
    monkeypatch.setenv("FTC_PRICES", str(file))
    found = price_list()
    assert [(each.gpu, each.count, each.spot_usd_per_hour) for each in found.offers] == [
        ("A100 80GB", 1, 0.4), ("H100 SXM", 8, None),
    ]  # fmt: skip
    assert found.left_out == 3


def test_skypilot_on_this_disk(tmp_path: Path) -> None:
    folder = tmp_path / ".sky/catalogs/v8/acme"
    folder.mkdir(parents=True)
    (folder / "vms.csv").write_text(
        SKY_HEADER
        + f"big,A100,8,96,1000,20.0,here,{gpu_info(81920)},0.00\n"
        + f"small,A100,8,96,1000,10.0,here,{gpu_info(40960)},4.0\n"
        + "small,A100,8,96,1000,12.0,here,,4.0\n"
        + ",H100,8,,,30.0,here,,5.0\n"  # an accelerator without its host
        + "plain,,,4,16,0.2,here,,\n"
        + "odd,Gaudi9,1,4,16,2,here,not json,\n"
        + "free,T4,1,4,16,,here,,\n"
    )
    found = price_list()
    assert found.source == "SkyPilot catalogue"
    assert [(each.gpu, each.instance, each.usd_per_hour, each.spot_usd_per_hour) for each in found.offers] == [
        ("A100 40GB", "small", 10.0, 4.0), ("A100 80GB", "big", 20.0, None),
    ]  # fmt: skip
    assert found.left_out == 3


def test_an_empty_skypilot_folder_is_no_list(tmp_path: Path) -> None:
    (tmp_path / ".sky/catalogs/v8/acme").mkdir(parents=True)
    assert price_list().source == "built-in table"


def hours(low: float, likely: float, high: float) -> TimeEstimate:
    range_ = Estimate(low=low, likely=likely, high=high, unit="h")
    return TimeEstimate(hours=range_, tokens_per_second_per_gpu=range_, steps=1, bound="compute")


def test_cost_of_what_one_has() -> None:
    device, _ = find_gpu("h100")
    assert device is not None
    assert cost(hours(1, 2, 3), Machine(device=device)).likely == 0
    assert cost(hours(1, 2, 3), Machine(device=device, usd_per_hour=0.5)).range() == {
        "low": 0.5,
        "likely": 1,
        "high": 1.5,
    }


def test_cost_of_what_one_rents() -> None:
    device, _ = find_gpu("a100", 80)
    offer = next(each for each in offers() if each.gpu == "A100 80GB" and each.spot_usd_per_hour and each.count == 8)
    assert device is not None
    rented = Machine(device=device, count=8, nodes=2, offer=offer, usd_per_hour=2 * offer.usd_per_hour)
    money = cost(hours(1, 2, 3), rented)
    assert money.likely == pytest.approx(4 * offer.usd_per_hour)
    assert money.as_of == offer.as_of
    assert cost(hours(1, 2, 3), rented, spot=True).likely < money.likely
