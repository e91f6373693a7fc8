"""Forward and backward of one micro-batch, for each objective, in the order in which the trainers run them.

Follows TRL's trainers: a preference batch holds chosen and rejected rows together, the reference pass runs while the
policy's graph is alive, the vocabulary is projected in tiles. It knows the order of passes and what is kept between
them; the values of losses mean nothing here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch.nn import functional

from ftc.runtime.trace.model import DEVICE, DTYPES, Built, trainable
from ftc.runtime.trace.request import Request
from ftc.runtime.trace.tracker import Key, Tracker
from ftc.runtime.trace.twins import autocast

CHUNK = 32768  # columns of the vocabulary in a tile; trl/trainer/utils.py, _CHUNKED_LOGPROB_CHUNK_SIZE
HEAD, EMBEDDING = -2, -1


class Recorder:
    """Cuts the record where a decoder layer begins, forward and backward, and names what is allocated there."""

    def __init__(self, tracker: Tracker, layers: list[Any]) -> None:
        self.tracker = tracker
        self.phase = ""
        self._handles = []
        last = len(layers) - 1
        for index, layer in enumerate(layers):
            self._handles.append(layer.register_forward_pre_hook(self._enter(index)))
            self._handles.append(layer.register_forward_hook(self._leave(index, index == last)))

    def begin(self, phase: str, layer: int = EMBEDDING) -> None:
        """A new pass over the model. Passes that come twice are told apart by number."""
        self.phase = phase
        self.tracker.cut((phase, layer))

    def close(self) -> None:
        """Take the hooks off."""
        for handle in self._handles:
            handle.remove()

    def _enter(self, index: int) -> Any:
        def hook(_module: Any, _args: Any) -> None:
            if self.phase != "backward":  # a checkpointed layer runs again in the backward pass
                self.tracker.cut((self.phase, index))

        return hook

    def _leave(self, index: int, last: bool) -> Any:
        def hook(_module: Any, _args: Any, output: Any) -> None:
            if self.phase == "backward":
                return
            hidden = output[0] if isinstance(output, tuple) else output
            if hidden.requires_grad:
                hidden.register_hook(lambda _grad: self.tracker.cut(("backward", index)))
            if last:
                self.tracker.cut((self.phase, HEAD))

        return hook


def categorise(key: Key) -> str:
    """What an allocation is for, by where it is made."""
    phase, layer = key
    if phase.startswith("reference"):
        return "reference"
    return "logits" if layer == HEAD else "activations"


class Micro:
    """One micro-batch through the model; `run` may be called again."""

    def __init__(self, request: Request, built: Built, tracker: Tracker, head: Any) -> None:
        self.request, self.built, self.tracker, self.head = request, built, tracker, head
        self.dtype = DTYPES[request.compute] if request.uses_autocast else None
        self.recorder = Recorder(tracker, built.layers)
        self.reference_recorder = Recorder(tracker, built.reference_layers)
        self._seen: dict[str, int] = {}
        tracker.cut(("batch", EMBEDDING))
        self.inputs = self._batch()

    def _batch(self) -> dict[str, torch.Tensor]:
        request = self.request
        ids = torch.empty((request.rows, request.seq_len), dtype=torch.long, device=DEVICE)
        self.tracker.add(ids, "activations")
        batch = {"input_ids": ids, "labels": torch.empty_like(ids)}
        self.tracker.add(batch["labels"], "activations")
        if request.padding:
            batch["attention_mask"] = torch.empty_like(ids)
            self.tracker.add(batch["attention_mask"], "activations")
        return batch

    def generate(self) -> None:
        """Answers for the coming updates: the prompts at once, then the last of the tokens, with the longest cache.

        A cache grows by copying (transformers' DynamicCache), so the last token is the dearest. What lies between the
        two is skipped.
        """
        request, model = self.request, self.built.model
        rows = request.micro_batch * request.grad_accum
        prompt = max(1, request.seq_len - request.completion_len)
        model.eval()
        with torch.no_grad():
            self._phase("generation")
            cache = self._next_token(torch.empty((rows, prompt), dtype=torch.long, device=DEVICE), None)
            self._grow(cache, max(prompt, request.seq_len - 1))
            self._phase("generation")
            self._next_token(torch.empty((rows, 1), dtype=torch.long, device=DEVICE), cache)
            self._phase("generated")
            del cache
        model.train()

    def _next_token(self, ids: torch.Tensor, cache: Any) -> Any:
        from transformers import DynamicCache

        cache = DynamicCache(config=self.built.model.config) if cache is None else cache
        out = self.built.model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        scores = out.logits[:, -1].to(dtype=torch.float32, copy=True)
        functional.softmax(scores, dim=-1)
        return cache

    def _grow(self, cache: Any, length: int) -> None:
        for index, layer in enumerate(cache.layers):
            self.tracker.cut((self.recorder.phase + "-cache", index))
            for name in ("keys", "values"):
                kept = getattr(layer, name)
                window = getattr(layer, "sliding_window", None) or length
                setattr(layer, name, kept.new_empty((*kept.shape[:2], min(length, window), kept.shape[3])))
                del kept
            if hasattr(layer, "cumulative_length"):
                layer.cumulative_length = length

    def run(self) -> Any:
        """Forward, loss and backward. Returns what the loop still holds afterwards."""
        self._phase("forward")
        loss, held = getattr(self, f"_{_FAMILY[self.request.objective]}")()
        if not self.request.keep_outputs:
            held = None
        self._phase("backward", HEAD)
        loss.backward()
        self._phase("end")
        return held

    def _phase(self, phase: str, layer: int = EMBEDDING) -> None:
        self._seen[phase] = self._seen.get(phase, 0) + 1
        name = phase if self._seen[phase] == 1 else f"{phase}-{self._seen[phase]}"
        self.reference_recorder.phase = name
        self.recorder.begin(name, layer)
        self.tracker.on_thread(backward=phase == "backward")

    def _model_inputs(self) -> dict[str, torch.Tensor]:
        return {k: v for k, v in self.inputs.items() if k != "labels"}

    def _call(self, model: Any, **more: Any) -> Any:
        """As accelerate wraps a model: autocast around its forward only, and 16-bit outputs widened."""
        with autocast(self.dtype):
            out = model(**self._model_inputs(), use_cache=False, **more)
        if self.dtype is not None:
            out.logits = out.logits.float()
        return out

    def _causal(self) -> tuple[torch.Tensor, Any]:
        model = self.built.model
        if self.request.loss == "full":
            out = self._call(model, labels=self.inputs["labels"])
            return out.loss, out
        log_probs = self._log_probs(model, extras=("entropy", "is_top1"))
        return -log_probs.sum() / log_probs.numel(), None

    def _log_probs(self, model: Any, extras: tuple[str, ...] = (), scored: int = 0) -> torch.Tensor:
        """Per-token log-probabilities as TRL's fused head computes them, of the last `scored` tokens of each row."""
        with autocast(self.dtype):
            return self._through_tiles(model, extras, scored)

    def _through_tiles(self, model: Any, extras: tuple[str, ...], scored: int) -> torch.Tensor:
        base = model.get_base_model() if hasattr(model, "get_base_model") else model
        hidden = base.base_model(**self._model_inputs(), use_cache=False).last_hidden_state[:, :-1]
        labels = self.inputs["labels"][:, 1:]
        rows, length = labels.shape
        count = rows * (min(scored, length) if scored else length)
        at_row, at_token = (torch.empty(count, dtype=torch.long, device=DEVICE) for _ in range(2))
        output = base.get_output_embeddings()
        found = self.head.apply(
            hidden[at_row, at_token], output.weight, output.bias, labels[at_row, at_token], 1.0, CHUNK, None, 1.0,
            ("log_probs", *extras),
        )  # fmt: skip
        mask = torch.empty(labels.shape, dtype=torch.bool, device=DEVICE)
        spread = [x.new_zeros(mask.shape).masked_scatter(mask, x) for x in found if x is not None]
        return spread[0]

    def _scores(self, model: Any) -> torch.Tensor:
        """Sum of log-probabilities of each row, through tiles or through full logits."""
        if self.request.loss == "chunked":
            return self._log_probs(model).sum(1)
        logits = self._call(model).logits[:, :-1]
        labels = self.inputs["labels"][:, 1:]
        chosen = torch.gather(functional.log_softmax(logits, -1), 2, labels.unsqueeze(2)).squeeze(2)
        return chosen.sum(1)

    def _reference_scores(self) -> torch.Tensor:
        request = self.request
        if request.reference == "precomputed":
            return torch.empty(request.rows, device=DEVICE)
        with torch.no_grad(), self._as_reference() as model:
            return self._scores(model)

    @contextlib.contextmanager
    def _as_reference(self) -> Iterator[Any]:
        """The frozen copy, or the policy with its adapters switched off; without checkpointing, as nothing is kept."""
        self._phase("reference")
        try:
            if self.built.reference is not None:
                yield self.built.reference
            elif hasattr(self.built.model, "disable_adapter"):
                with self.built.model.disable_adapter():
                    yield self.built.model
            else:
                yield self.built.model
        finally:
            self._phase("loss", HEAD)

    def _pairs(self) -> tuple[torch.Tensor, Any]:
        policy = self._scores(self.built.model)
        reference = self._reference_scores() if self.request.reference != "none" else policy.detach()
        ratios = policy - reference
        chosen, rejected = ratios.chunk(2)
        return -functional.logsigmoid(0.1 * (chosen - rejected)).mean(), None

    def _unpaired(self) -> tuple[torch.Tensor, Any]:
        """KTO: the mismatched completions that estimate the KL go through policy and reference as well, ungraded."""
        with torch.no_grad():
            mismatched = self._scores(self.built.model)
        self._phase("policy")
        policy = self._scores(self.built.model)
        if self.request.reference == "none":
            reference = kl = policy.detach()
        else:
            kl = self._reference_scores()
            reference = self._reference_scores()
        return (1 - torch.sigmoid(0.1 * (policy - reference - (mismatched - kl).mean()))).mean(), None

    def _reward(self) -> tuple[torch.Tensor, Any]:
        out = self._call(self.built.model)
        chosen, rejected = out.logits.squeeze(-1).chunk(2)
        return -functional.logsigmoid(chosen.float() - rejected.float()).mean(), out

    def _policy_gradient(self) -> tuple[torch.Tensor, Any]:
        """GRPO and RLOO's update: the completion's tokens are scored against stored log-probabilities."""
        scored = self.request.completion_len or self.request.seq_len
        if self.request.reference not in ("none", "precomputed"):
            with torch.no_grad(), self._as_reference() as model:
                self._log_probs(model, scored=scored)
            self._phase("policy")
        log_probs = self._log_probs(self.built.model, extras=("entropy",), scored=scored)
        old = log_probs.detach()
        ratio = torch.exp(log_probs - old)
        return -torch.min(ratio, ratio.clamp(0.8, 1.2)).mean(), None


_FAMILY = {
    "sft": "causal", "cpt": "causal", "dpo": "pairs", "kto": "unpaired", "reward": "reward",
    "grpo": "policy_gradient", "rloo": "policy_gradient",
}  # fmt: skip


def watch_gradients(built: Built, tracker: Tracker) -> None:
    """A gradient that autograd leaves on a parameter is no activation."""
    for parameter in trainable(built.model):
        parameter.register_post_accumulate_grad_hook(
            lambda p: tracker.is_gradient(p.grad) if p.grad is not None else None
        )


def register_flash() -> None:
    """FlashAttention 2 as transformers calls it: grouped heads as they are, no mask, 16-bit operands."""
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, flash_attention_mask
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    from ftc.runtime.trace.model import FLASH

    def attend(module: Any, query: Any, key: Any, value: Any, _mask: Any, scaling: Any = None, **_: Any) -> Any:
        if query.dtype == torch.float32:
            half = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else module.config.dtype
            query, key, value = (x.to(half or torch.bfloat16) for x in (query, key, value))
        attended = torch.ops.aten._scaled_dot_product_flash_attention(query, key, value, 0.0, True, scale=scaling)[0]
        return attended.transpose(1, 2).contiguous(), None

    ALL_ATTENTION_FUNCTIONS.register(FLASH, attend)
    ALL_MASK_ATTENTION_FUNCTIONS.register(FLASH, flash_attention_mask)
