"""What a node is said to have, as the command line writes it."""

from __future__ import annotations

from minikctl import errors
from minikctl.model import quantity


def parse(text: str) -> dict[str, str]:
    """Return a capacity such as ``cpu=2,memory=4Gi``; ``UsageError`` says what cannot be read."""
    found: dict[str, str] = {}
    for part in text.split(",") if text else ():
        name, sign, amount = part.partition("=")
        try:
            if not sign or quantity.parse(amount) < 0:
                raise ValueError("want NAME=AMOUNT")
            found[name.strip()] = quantity.canonical(amount)
        except ValueError as error:
            raise errors.UsageError(f"error: --node-capacity: {part}: {error}") from None
    return found
