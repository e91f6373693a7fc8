"""Puts the model's tensors on the device in the order in which a run does, as fake tensors.

The order decides where blocks lie, and so how much the allocator reserves and how much of a block is wasted.
transformers loads by sorted name into one block that it asked for beforehand (core_model_loading.py,
caching_allocator_warmup); bitsandbytes quantises each weight as it arrives; PEFT widens what is not quantised,
and empties the cache; adapters come last. A model that was loaded on the host moves over in its own order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from ftc.runtime.trace.model import DEVICE, DTYPES, FUSED_EXPERTS, Built
from ftc.runtime.trace.request import Request
from ftc.runtime.trace.tracker import Allocation, Tracker
from ftc.runtime.trace.twins import Nf4Linear

CLEAR = "setup-clear"  # a segment of this name empties the allocator's cache
BEFORE, AFTER = -1, -2


@dataclass(frozen=True, slots=True)
class _Place:
    """A parameter where it is used: `layer` is BEFORE or AFTER outside the decoder layers."""

    name: str
    module: Any
    key: str
    layer: int

    @property
    def parameter(self) -> Any:
        return self.module._parameters[self.key]


def load(request: Request, built: Built, tracker: Tracker) -> None:
    """Weights, adapters and reference, counted by the tracker in segments whose names begin with `setup`."""
    _Loader(request, tracker, "weights", "setup").run(built.model, built.layers)
    built.model.train()
    if request.adapter != "full" and request.checkpointing == "full":
        built.model.enable_input_require_grads()
    if built.reference is not None:
        _Loader(request, tracker, "reference", "setup-reference").run(built.reference, built.reference_layers)
        built.reference.eval()


def warmup_bytes(request: Request, built: Built, copies: dict[int, int]) -> int:
    """The one block that transformers asks for before it loads: half a byte for what will be quantised.

    `copies` says how often each layer of `built` occurs in the full model.
    """
    if not request.loads_onto_device:
        return 0
    inside = {id(m): i for i, layer in enumerate(built.layers) for m in layer.modules()}
    seen: set[int] = set()
    total = 0
    for place in _places(built.model, inside):
        parameter = place.parameter
        if id(parameter) in seen or _is_adapter(request, place):
            continue
        seen.add(id(parameter))
        if parameter is None:
            size = (place.module.out_features * place.module.in_features + 1) // 2
        else:
            size = parameter.numel() * DTYPES[request.weights].itemsize
        total += size * copies.get(place.layer, 1)
    return total


def _places(model: Any, inside: dict[int, int]) -> Iterator[_Place]:
    """Every parameter, quantised weights included, in the order of the modules."""
    reached = False
    for name, module in model.named_modules():
        layer = inside.get(id(module))
        reached = reached or layer is not None
        where = layer if layer is not None else (AFTER if reached else BEFORE)
        for key, parameter in module._parameters.items():
            if parameter is not None or (key == "weight" and isinstance(module, Nf4Linear)):
                yield _Place(name=f"{name}.{key}", module=module, key=key, layer=where)


def _is_adapter(request: Request, place: _Place) -> bool:
    parameter = place.parameter
    return request.adapter != "full" and parameter is not None and bool(parameter.requires_grad)


class _Loader:
    def __init__(self, request: Request, tracker: Tracker, category: str, phase: str) -> None:
        self.request, self.tracker, self.category, self.phase = request, tracker, category, phase
        self.memo: dict[int, torch.nn.Parameter] = {}
        self.waiting: dict[int, Allocation] = {}  # loaded in 16 bits, to be widened

    def run(self, model: Any, layers: list[Any]) -> None:
        inside = {id(m): i for i, layer in enumerate(layers) for m in layer.modules()}
        places = list(_places(model, inside))
        base = [p for p in places if not _is_adapter(self.request, p)]
        if self.request.loads_onto_device:
            base = _by_name(base)
        for place in self._in_segments(base, self.phase):
            self._arrive(place)
        self._widen(places)
        adapters = [p for p in places if _is_adapter(self.request, p)]
        for place in self._in_segments(adapters, f"{self.phase}-adapters"):
            self._replace(place, DTYPES[self.request.adapters], "adapters")
        self._buffers(model, inside)

    def _in_segments(self, places: list[_Place], phase: str) -> Iterator[_Place]:
        layer = None
        for place in places:
            if place.layer != layer:
                layer = place.layer
                self.tracker.cut((phase, layer))
            yield place

    def _arrive(self, place: _Place) -> None:
        request, parameter = self.request, place.parameter
        loaded = DTYPES[request.weights]
        if isinstance(place.module, Nf4Linear) and place.key == "weight":
            arrived = self.tracker.note(parameter.numel() * loaded.itemsize, self.category)
            held = place.module.pack(DTYPES[request.compute], loaded, request.double_quant, DEVICE)
            for tensor in held:
                self.tracker.add(tensor, self.category)
            self.tracker.forget(arrived)
        elif self._widens(parameter):
            if id(parameter) not in self.waiting:
                self.waiting[id(parameter)] = self.tracker.note(parameter.numel() * loaded.itemsize, self.category)
        else:
            self._replace(place, parameter.dtype, self.category)

    def _widens(self, parameter: torch.nn.Parameter) -> bool:
        """peft.prepare_model_for_kbit_training widens all that is not quantised; grouped products take 16 bits only."""
        request = self.request
        return request.adapter == "qlora" and request.kbit_upcast and parameter.ndim < FUSED_EXPERTS

    def _widen(self, places: list[_Place]) -> None:
        waiting = [p for p in places if id(p.parameter) in self.waiting]
        for place in self._in_segments(waiting, f"{self.phase}-widen"):
            original = place.parameter
            self._replace(place, torch.float32, self.category)
            arrived = self.waiting.pop(id(original), None)
            if arrived is not None:
                self.tracker.forget(arrived)
        if waiting and self.request.clears_cache:
            self.tracker.cut((CLEAR, BEFORE))

    def _replace(self, place: _Place, dtype: torch.dtype, category: str) -> None:
        parameter = place.parameter
        if id(parameter) not in self.memo:
            fake = torch.empty(parameter.shape, dtype=dtype, device=DEVICE)
            self.memo[id(parameter)] = torch.nn.Parameter(fake, requires_grad=parameter.requires_grad)
            self.tracker.add(self.memo[id(parameter)], category)
        place.module._parameters[place.key] = self.memo[id(parameter)]

    def _buffers(self, model: Any, inside: dict[int, int]) -> None:
        layer = None
        for module in model.modules():
            for key, buffer in list(module._buffers.items()):
                if buffer is None:
                    continue
                if inside.get(id(module), AFTER) != layer:
                    layer = inside.get(id(module), AFTER)
                    self.tracker.cut((f"{self.phase}-buffers", layer))
                module._buffers[key] = torch.empty(buffer.shape, dtype=buffer.dtype, device=DEVICE)
                self.tracker.add(module._buffers[key], self.category)
                if isinstance(getattr(module, f"original_{key}", None), torch.Tensor):
                    setattr(module, f"original_{key}", module._buffers[key])


def _by_name(places: list[_Place]) -> list[_Place]:
    """The order of a checkpoint's names, numbers by value; what follows the layers by name follows them here."""
    ordered = sorted(places, key=lambda p: _natural(p.name))
    first = next((i for i, p in enumerate(ordered) if p.layer >= 0), len(ordered))
    moved = {id(p): BEFORE if i < first else AFTER for i, p in enumerate(ordered) if p.layer < 0}
    return [_Place(name=p.name, module=p.module, key=p.key, layer=moved.get(id(p), p.layer)) for p in ordered]


def _natural(name: str) -> tuple[tuple[int, int, str], ...]:
    plain = name.removeprefix("base_model.model.").replace(".base_layer.", ".")
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in plain.split("."))
