"""The simulated engine's images: there on demand, unless their names say otherwise."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence

from minikctl import errors
from minikctl.drivers import engine

NOBODY_HAS = "missing/"
MUST_BE_PULLED = "remote/"
_OWN = {"minikctl-infra": '["/pause"]', "minikctl-demo": '["/serve"]'}


class Images:
    """Every reference has an image, except ``missing/…`` always and ``remote/…`` until it is pulled."""

    def __init__(self) -> None:
        self._images: dict[str, engine.Image] = {}
        self._removed: set[str] = set()

    def add(self, image: engine.Image, *references: str) -> None:
        """Put an image there under its tags and these references."""
        for reference in (*image.tags, *references):
            self._images[normalised(reference)] = image
            self._removed.discard(normalised(reference))

    def find(self, reference: str) -> engine.Image | None:
        """Return the image of that name or id, or None."""
        name = normalised(reference)
        if name not in self._images and self._simulated(name):
            self._images[name] = made(name)
        found = next(
            (image for key, image in self._images.items() if name == key or reference == image.id), None
        )
        if found is None:
            return None
        tags = tuple(sorted(key for key, image in self._images.items() if image.id == found.id))
        return dataclasses.replace(found, tags=tags)

    def names(self) -> list[str]:
        """Return the names of what was made, pulled or asked for."""
        return sorted(self._images)

    def _simulated(self, name: str) -> bool:
        return name not in self._removed and not name.startswith((NOBODY_HAS, MUST_BE_PULLED, "sha256:"))

    def pull(self, reference: str) -> None:
        """Fetch an image from the registry that does not exist."""
        name = normalised(reference)
        if name.startswith(NOBODY_HAS):
            repository = name.rpartition(":")[0]
            words = (
                f"pull access denied for {repository}, repository does not exist or may require "
                "'docker login': denied: requested access to the resource is denied"
            )
            raise errors.ImageMissing(words, words)
        self.add(made(name))

    def tag(self, reference: str, name: str) -> None:
        """Give an image another name."""
        image = self.find(reference)
        if image is None:
            words = f"No such image: {normalised(reference)}"
            raise errors.ImageMissing(words, words)
        self.add(image, name)

    def remove(self, reference: str) -> None:
        """Take an image's name away."""
        self._images.pop(normalised(reference), None)
        self._removed.add(normalised(reference))


def normalised(reference: str) -> str:
    """Return the reference with its tag."""
    last = reference.rpartition("/")[2]
    return reference if ":" in last or "@" in last else f"{reference}:latest"


def made(
    reference: str, changes: Sequence[str] = (), labels: Mapping[str, str] | None = None
) -> engine.Image:
    """Return an image of that name, configured by Dockerfile instructions."""
    config: dict[str, str] = {}
    own = reference.partition(":")[0]
    found = {"minikctl.dev/image": own, **(labels or {})} if own in _OWN else dict(labels or {})
    for change in changes:
        word, _, rest = change.partition(" ")
        config[word.upper()] = rest
        if word.upper() == "LABEL":
            found |= dict(pair.split("=", 1) for pair in shlex.split(rest))
    return engine.Image(
        id="sha256:" + hashlib.sha256(reference.encode()).hexdigest(),
        tags=(reference,),
        digests=(),
        size_bytes=1 << 20,
        labels=found,
        user=config.get("USER", ""),
        entrypoint=_words(config.get("ENTRYPOINT", "" if "CMD" in config else _OWN.get(own, '["/server"]'))),
        command=_words(config.get("CMD", "")),
    )


def _words(text: str) -> tuple[str, ...]:
    if not text:
        return ()
    return tuple(json.loads(text)) if text.startswith("[") else ("/bin/sh", "-c", text)
