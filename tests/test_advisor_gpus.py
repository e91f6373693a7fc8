"""GPUs by the names that people and drivers use, and the machines that a spec means."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from ftc.advisor import machine
from ftc.advisor.gpus import find_gpu, gpus
from ftc.advisor.machine import cpu, local, machines, priced
from ftc.spec.model import Hardware


@pytest.mark.parametrize(
    ("written", "memory", "name"),
    [
        ("rtx4090", None, "RTX 4090"), ("RTX 4090", None, "RTX 4090"), ("rtx-4090", None, "RTX 4090"),
        ("4090", None, "RTX 4090"), ("NVIDIA GeForce RTX 3090", None, "RTX 3090"), ("a100", None, "A100 40GB"),
        ("a100", 80, "A100 80GB"), ("a100-80gb", None, "A100 80GB"), ("NVIDIA A100-SXM4-80GB", None, "A100 80GB"),
        ("NVIDIA A100-PCIE-40GB", None, "A100 40GB"), ("A100-80GB-PCIe", None, "A100 80GB PCIe"),
        ("NVIDIA H100 80GB HBM3", None, "H100 SXM"), ("h100", 80, "H100 SXM"), ("Tesla T4", None, "T4"),
        ("Tesla V100-SXM2-16GB", None, "V100 16GB"), ("NVIDIA A10G", None, "A10G"), ("l40s", 48, "L40S"),
        ("NVIDIA L4", None, "L4"), ("RTX6000-Ada", None, "RTX 6000 Ada"), ("NVIDIA RTX A6000", None, "RTX A6000"),
        ("rtx 4060 ti", 16, "RTX 4060 Ti 16GB"), ("rtx 4060 ti", None, "RTX 4060 Ti 8GB"), ("mi300x", None, "MI300X"),
        ("7900xtx", None, "RX 7900 XTX"), ("M2 Max", None, "M2 Max"), ("GH200-96GB", None, "GH200"),
        ("Mac", 64, "M2 Pro 64GB"), ("MacBook Pro", 96, "M2 Max"), ("RTX 6000", 48, "RTX 6000 Ada"),
        ("Quadro RTX 6000", None, "Quadro RTX 6000"), ("GTX 1080 Ti", 11, "GTX 1080 Ti"), ("Tesla P40", 24, "P40"),
        ("MacBook Pro M3 Max", 128, "M3 Max"), ("M2 Max MacBook Pro", 96, "M2 Max"), ("MI250", 128, "MI250X"),
    ],
)  # fmt: skip
def test_names(written: str, memory: float | None, name: str) -> None:
    found, problem = find_gpu(written, memory)
    assert problem is None
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("device", gpus(), ids=lambda each: each.name)
def test_every_name_finds_itself(device: Any) -> None:
    assert find_gpu(device.name)[0] == device
    assert device.source
    assert device.fp16_tflops or device.fp32_tflops
    assert device.memory_gib > 5


@pytest.mark.parametrize(("written", "near"), [("rtx-4900", "rtx-4090"), ("h10o", "h100"), ("potato", "")])
def test_unknown(written: str, near: str) -> None:
    found, problem = find_gpu(written)
    assert found is None
    assert problem is not None
    assert problem.code == "S110"
    assert near in problem.fix


def test_a_size_that_no_card_has_is_believed() -> None:
    found, _ = find_gpu("rtx-4090", 48)
    assert found is not None
    assert 45 < found.memory_gib < 48


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Lets a test say what nvidia-smi prints."""

    def says(text: str | None, code: int = 0) -> None:
        def run(*_args: Any, **_kw: Any) -> Any:
            if text is None:
                raise FileNotFoundError("nvidia-smi")
            return subprocess.CompletedProcess([], code, stdout=text, stderr="")

        monkeypatch.setattr(machine.subprocess, "run", run)
        monkeypatch.setattr(machine.platform, "system", lambda: "Linux")
        local.cache_clear()

    yield says
    local.cache_clear()


def test_this_machine_with_cards(driver: Any) -> None:
    driver("NVIDIA A100-SXM4-80GB, 81920, 8.0\n" * 4 + "NVIDIA T4, 15360, 7.5\n")
    found = local()
    assert (found.device.name, found.count) == ("A100 80GB", 4)
    assert found.host_memory_gib


def test_this_machine_with_a_card_that_nobody_knows(driver: Any) -> None:
    driver("NVIDIA Experimental 9000, 49152, 13.0\n")
    found = local()
    assert found.device.kind == "cuda"
    assert 46 < found.device.memory_gib < 48


@pytest.mark.parametrize("text", [None, "", "No devices were found\n"])
def test_this_machine_without_cards(driver: Any, text: str | None) -> None:
    driver(text)
    found = local()
    assert found.device.kind == "cpu"
    assert found.device.bf16_tflops is None
    assert found.device.fp32_tflops


@pytest.mark.parametrize("hardware", [Hardware(kind="owned", gpu="none", host_memory_gib=16), Hardware(kind="owned")])
def test_owned_without_a_card(hardware: Hardware) -> None:
    (found,), said = machines(hardware)
    assert said == []
    assert found.device.kind == "cpu"
    assert found.device.memory_gib == 16


def test_owned() -> None:
    (found,), said = machines(Hardware(kind="owned", gpu="rtx-4090", count=2, nodes=2), usd_per_hour=0.3)
    assert said == []
    assert (found.device.name, found.devices, found.usd_per_hour, found.offer) == ("RTX 4090", 4, 0.3, None)


def test_none() -> None:
    assert machines(Hardware(kind="none")) == ((), [])


def test_unknown_owned() -> None:
    found, said = machines(Hardware(kind="owned", gpu="rtx-4900"))
    assert found == ()
    assert [(each.code, each.key) for each in said] == [("S110", "hardware.gpu")]


def test_cloud() -> None:
    found, said = machines(Hardware(kind="cloud", clouds=("any",), gpus=("h100",), count=8))
    assert said == []
    assert {each.device.name for each in found} == {"H100 SXM"}
    assert {each.devices for each in found} == {8}
    assert [each.usd_per_hour for each in found] == sorted(each.usd_per_hour for each in found)


def test_cloud_by_name_memory_and_spot() -> None:
    found, _ = machines(Hardware(kind="cloud", clouds=("verda",), gpus=("a100",), memory_gib=80, count=1, spot=True))
    (each,) = found
    assert each.offer is not None
    assert each.usd_per_hour == each.offer.spot_usd_per_hour


def test_sixteen_cards_are_two_instances_of_eight() -> None:
    found, _ = machines(Hardware(kind="cloud", gpus=("h100",), count=16))
    assert found
    assert {(each.count, each.nodes) for each in found} == {(8, 2)}


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_a_count_between_two_that_a_cloud_lists(count: int) -> None:
    """Who lists one and eight sells four as well, at what a GPU costs there."""
    one, _ = machines(Hardware(kind="cloud", clouds=("verda",), gpus=("h100",), count=1))
    some, _ = machines(Hardware(kind="cloud", clouds=("verda",), gpus=("h100",), count=count))
    assert [(each.count, each.nodes) for each in some] == [(count, 1)]
    assert some[0].usd_per_hour == pytest.approx(count * one[0].usd_per_hour, rel=0.2)
    assert some[0].offer is not None
    assert "at the price of one" in some[0].offer.source


def test_more_cards_cost_more() -> None:
    dearer = [
        min(each.usd_per_hour for each in machines(Hardware(kind="cloud", gpus=("a100",), memory_gib=80, count=n))[0])
        for n in range(1, 9)
    ]
    assert dearer == sorted(dearer)


@pytest.mark.parametrize("gpu", ["t4", "a10", "mi300x"])
def test_a_card_that_nobody_lists_costs_what_a_better_one_costs(gpu: str) -> None:
    found, said = machines(Hardware(kind="cloud", clouds=("any",), gpus=(gpu,), count=2))
    assert said == []
    assert found
    assert all(each.offer is not None and "nobody lists it" in each.offer.source for each in found)
    assert all(each.device == find_gpu(gpu)[0] and each.usd_per_hour > 0 for each in found)


def test_a_cloud_that_does_not_list_the_card_has_none() -> None:
    assert machines(Hardware(kind="cloud", clouds=("runpod",), gpus=("h100",), count=8)) == ((), [])


def test_cloud_with_an_unknown_card() -> None:
    _, said = machines(Hardware(kind="cloud", gpus=("h1000x",)))
    assert [(each.code, each.key) for each in said] == [("S110", "hardware.gpus")]


def test_priced() -> None:
    device, _ = find_gpu("h100")
    assert device is not None
    assert priced(device, 8).usd_per_hour > 0
    assert priced(cpu(16, 4)).usd_per_hour == 0
