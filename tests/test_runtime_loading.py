"""How a base is quantised for one device, and for several that share it."""

from __future__ import annotations

import pytest

pytest.importorskip("transformers")
TOLD = {"type": "nf4", "double_quant": True, "compute_dtype": "bf16"}


@pytest.mark.parametrize("sharded", [False, True])
def test_packed_weights_can_be_sharded_where_they_are(sharded: bool) -> None:
    import torch

    from ftc.runtime.loading import quantization

    found = quantization(TOLD, sharded=sharded)
    assert found.bnb_4bit_quant_storage == (torch.bfloat16 if sharded else torch.uint8)
    assert found.bnb_4bit_compute_dtype == torch.bfloat16
    assert found.bnb_4bit_use_double_quant
