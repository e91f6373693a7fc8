"""The hash by which a data file is known again: BLAKE3, several times as fast as SHA-256, which matters at 10 GB."""

from __future__ import annotations

from pathlib import Path

_PIECE = 1 << 20  # bytes


def digest(path: Path) -> str:
    """`blake3:` and the hash of the file's bytes, hexadecimal. Raises OSError."""
    from blake3 import blake3  # 1 ms

    hasher = blake3()
    buffer = bytearray(_PIECE)
    view = memoryview(buffer)
    with path.open("rb", buffering=0) as stream:
        while count := stream.readinto(buffer):
            hasher.update(view[:count])
    return f"blake3:{hasher.hexdigest()}"
