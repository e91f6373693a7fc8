"""What a CUDA device does differently from the fake CPU tensors that the trace runs on.

Operators are chosen by device: on CUDA attention has fused kernels, softmax widens while it reads, dropout keeps a
byte mask, autocast widens other operators, Triton replaces torch code. Each twin has the allocations of its original
and none of the arithmetic. Sources: PyTorch's aten/src/ATen (native/transformers/cuda, autocast_mode.h,
native/SoftMax.cpp, native/Dropout.cpp), bitsandbytes' autograd/_functions.py, TRL's kernels/chunked_logprob.py.
"""

from __future__ import annotations

import contextlib
import math
import sys
import types
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.nn import functional

from ftc.runtime.trace.tracker import Tracker

aten = torch.ops.aten
_is_autocast_enabled = torch.is_autocast_enabled
HALF = (torch.bfloat16, torch.float16)
FLASH_MAX_HEAD_DIM = 256  # channels; native/transformers/cuda/sdp_utils.cpp


@contextlib.contextmanager
def installed(kernel: str, expands_groups: bool, compute_capability: float, packed: bool) -> Iterator[None]:
    """For the time of a trace, what depends on the device is what CUDA would run."""
    from transformers import masking_utils

    # Attributes, not a TorchFunctionMode: a mode is off inside backward(), where checkpointed layers run again.
    attend = Attention(kernel, expands_groups, compute_capability)
    plain_softmax = functional.softmax
    twins: dict[tuple[Any, str], Any] = {
        (functional, "scaled_dot_product_attention"): attend,
        (functional, "softmax"): lambda *a, **k: _softmax(plain_softmax, *a, **k),
        (functional, "dropout"): _dropout,
        # Libraries ask whether CUDA's autocast is on (PEFT's 4-bit layer does); here the CPU's stands for it.
        (torch, "is_autocast_enabled"): lambda _device="cuda": _is_autocast_enabled("cpu"),
    }
    if not packed:
        # transformers reads the positions to see that a row is one document, and then needs no mask. A fake tensor
        # has nothing to read.
        twins[masking_utils, "find_packed_sequence_indices"] = lambda _positions: None
    before = {place: getattr(*place) for place in twins}
    for (module, name), twin in twins.items():
        setattr(module, name, twin)
    try:
        yield
    finally:
        for (module, name), original in before.items():
            setattr(module, name, original)


class Attention:
    """Attention as CUDA would run it."""

    def __init__(self, kernel: str, expands_groups: bool, compute_capability: float) -> None:
        self.kernel = kernel
        self.expands_groups = expands_groups
        self.flash_capable = compute_capability >= 8.0

    def __call__(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attn_mask: torch.Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Any:
        """The kernel that CUDA would choose, by its own priority: flash, memory-efficient, math."""
        query, key, value = (_autocast_operand(x) for x in (query, key, value))
        grouped = enable_gqa and key.shape[-3] != query.shape[-3]
        if grouped and self.expands_groups:
            groups = query.shape[-3] // key.shape[-3]
            key, value, grouped = key.repeat_interleave(groups, -3), value.repeat_interleave(groups, -3), False
        kernel = self.kernel if self.kernel != "auto" else self._choose(query, value, attn_mask, grouped)
        if kernel == "flash":
            return aten._scaled_dot_product_flash_attention(
                query, key, value, dropout_p, is_causal, False, scale=scale
            )[0]
        if kernel == "efficient":
            bias = None if attn_mask is None else _float_mask(attn_mask, query)
            needs_grad = torch.is_grad_enabled() and (query.requires_grad or key.requires_grad or value.requires_grad)
            return aten._scaled_dot_product_efficient_attention(
                query, key, value, bias, needs_grad, dropout_p, is_causal, scale=scale
            )[0]
        return aten._scaled_dot_product_attention_math(
            query, key, value, attn_mask, dropout_p, is_causal, None, scale=scale, enable_gqa=grouped
        )[0]

    def _choose(self, query: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, grouped: bool) -> str:
        same_width = query.shape[-1] == value.shape[-1] <= FLASH_MAX_HEAD_DIM
        if mask is None and query.dtype in HALF and same_width and self.flash_capable:
            return "flash"
        return "math" if grouped else "efficient"


def _autocast_operand(x: torch.Tensor) -> torch.Tensor:
    if _is_autocast_enabled("cpu") and x.dtype == torch.float32:
        return x.to(torch.get_autocast_dtype("cpu"))
    return x


def _float_mask(mask: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
    """A boolean mask becomes an additive one in the query's dtype before the memory-efficient kernel."""
    if mask.dtype == torch.bool:
        mask = torch.zeros_like(mask, dtype=query.dtype).masked_fill_(mask.logical_not(), -math.inf)
    return mask.expand(query.shape[0], query.shape[1], query.shape[-2], mask.shape[-1])


def _softmax(func: Any, input: torch.Tensor, dim: int | None = None, *rest: Any, dtype: Any = None, **kw: Any) -> Any:
    """On CUDA an fp16 input (not a bf16 one) is widened inside the kernel: no copy in, an fp16 gradient out."""
    if dtype is torch.float32 and input.dtype == torch.float16 and dim is not None:
        return _WideningSoftmax.apply(input, dim)
    return func(input, dim, *rest, dtype=dtype, **kw)


class _WideningSoftmax(torch.autograd.Function):  # type: ignore[misc]  # torch is untyped here
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, dim: int) -> torch.Tensor:
        out = torch.empty(x.shape, dtype=torch.float32, device=x.device)
        ctx.save_for_backward(out)
        ctx.dtype = x.dtype
        return out

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        (out,) = ctx.saved_tensors
        grad_input = torch.empty(grad.shape, dtype=ctx.dtype, device=grad.device)
        product = grad * out  # host_softmax_backward's `tmp`
        del product
        return grad_input, None


def _dropout(input: torch.Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> torch.Tensor:
    if not training or p == 0.0:
        return input
    return torch.native_dropout(input, p, True)[0]


def flash_scratch(args: Sequence[Any], _out: Any) -> list[int]:
    """FlashAttention's backward: fp32 accumulator of dq, row sums, dk and dv for each query head of a group."""
    query, key = args[1], args[2]
    batch, heads, q_len, width = query.shape
    rounded = _round_up(q_len, 128)
    sizes = [batch * heads * rounded * _round_up(width, 32) * 4, batch * heads * rounded * 4]
    if key.shape[1] != heads:
        sizes += [batch * heads * key.shape[2] * width * query.element_size()] * 2
    return sizes


def efficient_scratch(args: Sequence[Any], _out: Any) -> list[int]:
    """The cutlass backward: fp32 workspace for dq where outputs have 16 bits; else delta through an fp32 product."""
    query = args[1]
    batch, heads, q_len, width = query.shape
    delta = batch * heads * q_len * 4
    return [delta, batch * heads * _round_up(q_len, 64) * _round_up(width, 64) * 4]


def softmax_scratch(args: Sequence[Any], _out: Any) -> list[int]:
    """CUDA's softmax backward multiplies gradient and output before it reduces (SoftMax.cu, `grad * output`)."""
    grad = args[0]
    return [grad.numel() * grad.element_size()]


def _round_up(value: int, to: int) -> int:
    return (value + to - 1) // to * to


def register_scratch(tracker: Tracker) -> None:
    """Tell the tracker of the memory that fused kernels take for themselves."""
    tracker.scratch(aten._scaled_dot_product_flash_attention_backward.default, flash_scratch)
    tracker.scratch(aten._scaled_dot_product_efficient_attention_backward.default, efficient_scratch)
    tracker.scratch(aten._softmax_backward_data.default, softmax_scratch)


# autocast_mode.h, AT_FORALL_FP32 and AT_FORALL_FP32_SET_OPT_DTYPE: what runs in fp32 on CUDA and not on the CPU.
# Only operators that decoder models and their losses call.
_WIDENED = (
    "exp", "log", "log1p", "rsqrt", "reciprocal", "softplus", "layer_norm", "group_norm", "nll_loss", "mse_loss",
    "pow.Tensor_Scalar", "pow.Tensor_Tensor", "pow.Scalar", "cosine_similarity", "logsumexp", "rms_norm",
)  # fmt: skip
_WIDENED_BY_DTYPE = ("softmax.int", "log_softmax.int", "sum", "sum.dim_IntList", "cumsum", "prod", "prod.dim_int")


def _op(name: str) -> Any:
    base, _, overload = name.partition(".")
    return getattr(getattr(aten, base), overload or "default")


def autocast(dtype: torch.dtype | None) -> contextlib.AbstractContextManager[Any]:
    """CUDA's autocast over CPU tensors; `None` is off."""
    return contextlib.nullcontext() if dtype is None else torch.autocast("cpu", dtype=dtype)


def widen_like_cuda() -> Any:
    """Gives the CPU's autocast the operators that CUDA's widens. The library must be kept alive by the caller."""
    library = torch.library.Library("aten", "IMPL")
    key = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastCPU)

    def widened(op: Any, by_dtype: bool) -> Any:
        def kernel(*args: Any, **kwargs: Any) -> Any:
            with torch._C._ExcludeDispatchKeyGuard(key):
                if by_dtype:
                    first = args[0]
                    if first.dtype in HALF and kwargs.get("dtype") is None:
                        if op in (aten.softmax.int, aten.log_softmax.int):
                            if len(args) > 2 and args[2] is not None:
                                return op(*args, **kwargs)
                            return op(*args[:2], torch.float32)
                        kwargs["dtype"] = torch.float32
                    return op(*args, **kwargs)
                return op(*[_wide(a) for a in args], **{k: _wide(v) for k, v in kwargs.items()})

        return kernel

    for names, by_dtype in ((_WIDENED, False), (_WIDENED_BY_DTYPE, True)):
        for name in names:
            library.impl(name, widened(_op(name), by_dtype), "AutocastCPU", allow_override=True)
    return library


def _wide(value: Any) -> Any:
    return value.float() if isinstance(value, torch.Tensor) and value.dtype in HALF else value


class Nf4Matmul(torch.autograd.Function):  # type: ignore[misc]
    """bitsandbytes' MatMul4Bit on a batch too large for its fused kernel: the weight is dequantised for each product.

    Only the packed weight is kept for the backward pass.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, layer: Any, bias: torch.Tensor | None) -> torch.Tensor:
        ctx.layer = layer
        return functional.linear(x, layer.dequantised(x.dtype), bias)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        weight = ctx.layer.dequantised(ctx.layer.stored_dtype)
        return torch.matmul(grad, weight.to(grad.dtype)), None, None


class Nf4Linear(torch.nn.Linear):  # type: ignore[misc]
    """bitsandbytes' Linear4bit: two weights a byte, a scale for 64 weights (fp32, or a byte when double quantised)."""

    compute_dtype: torch.dtype
    stored_dtype: torch.dtype  # what the checkpoint was loaded in: the dtype that dequantisation gives back
    nested: bool

    def pack(self, compute: torch.dtype, stored: torch.dtype, nested: bool, device: str) -> list[torch.Tensor]:
        """Allocate what the quantised layer holds, in place of its weight."""
        count = self.out_features * self.in_features
        blocks = math.ceil(count / 64)
        self.compute_dtype, self.stored_dtype, self.nested, self.blocks = compute, stored, nested, blocks
        held = [torch.empty(((count + 1) // 2, 1), dtype=torch.uint8, device=device)]
        held.append(torch.empty(blocks, dtype=torch.uint8 if nested else torch.float32, device=device))
        held.append(torch.empty(16, device=device))  # the code book
        if nested:
            held += [torch.empty(n, device=device) for n in (math.ceil(blocks / 256), 256, 1)]
        self._parameters["weight"] = None
        self.held = held
        return held

    def dequantised(self, dtype: torch.dtype) -> torch.Tensor:
        """The weight for one product."""
        scales = torch.empty(self.blocks, device=self.held[0].device) if self.nested else None
        weight = torch.empty((self.out_features, self.in_features), dtype=dtype, device=self.held[0].device)
        del scales
        return weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As Linear4bit: to the compute dtype, multiply, back to the input's dtype."""
        dtype = x.dtype
        bias = None if self.bias is None else self.bias.to(self.compute_dtype)
        return Nf4Matmul.apply(x.to(self.compute_dtype), self, bias).to(dtype)


def triton_head() -> Any:
    """TRL's chunked log-probability function with its Triton kernels replaced by nothing: they allocate nothing."""
    # TRL imports its whole trainer package (4 s) for one context manager that is empty without DeepSpeed.
    if "trl.trainer.utils" not in sys.modules:
        stand_in = types.ModuleType("trl.trainer.utils")
        stand_in.maybe_gather_lm_head_ctx = lambda *_: contextlib.nullcontext()  # type: ignore[attr-defined]
        sys.modules["trl.trainer.utils"] = stand_in
    from trl.kernels import chunked_logprob

    chunked_logprob._forward_tile = chunked_logprob._backward_tile = lambda *_, **__: None
    chunked_logprob._addmm_fp32 = lambda acc, *_: acc.zero_()  # on CUDA one product with an fp32 output, in place
    return chunked_logprob.ChunkedLogProbFunction
