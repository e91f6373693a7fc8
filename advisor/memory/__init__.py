"""What one training step takes, per device and on the host, as a range and by component.

Three numbers, never mixed: allocated (what the framework's tensors take), reserved (what its caching allocator holds),
device (what nvidia-smi shows: reserved and the driver's context). The standing part is arithmetic (`static.py`); the
moving part is played block by block as transformers, peft, bitsandbytes and TRL allocate it (`step.py` and below) and
then replayed through a model of the allocator. No constant is fitted to a model or a card. Knows no time and no money.
"""

from __future__ import annotations

from ftc.advisor.memory.bounds import bound_gib, static_gib, weights_gib
from ftc.advisor.memory.peak import Peak, peak_of
from ftc.advisor.memory.ranges import memory
from ftc.advisor.memory.static import state_bytes, trained, weights

__all__ = ["Peak", "bound_gib", "memory", "peak_of", "state_bytes", "static_gib", "trained", "weights", "weights_gib"]
