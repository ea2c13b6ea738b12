"""Names of children: the same view gives the same names, so that planning it twice does no harm."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Iterator

from minikctl.model import names, objects

LETTERS = 5


def child_names(prefix: str, seed: Iterable[str], taken: Container[str]) -> Iterator[str]:
    """Yield free names for ever: the prefix and five letters, the same for the same seed."""
    base = hashlib.blake2b("\0".join(seed).encode(), digest_size=16).digest()
    ordinal = 0
    while True:
        digest = hashlib.blake2b(ordinal.to_bytes(8, "big"), key=base, digest_size=LETTERS * 2).digest()
        numbers = [int.from_bytes(digest[at : at + 2], "big") for at in range(0, LETTERS * 2, 2)]
        name = names.generated(prefix, numbers)
        if name not in taken:
            yield name
        ordinal += 1


def prefix_of(owner: objects.Object) -> str:
    """Return ``web-`` for an owner named ``web``, without the dash where the name leaves no room for it."""
    dashed = f"{objects.name(owner)}-"
    return objects.name(owner) if len(dashed) > 253 else dashed
