"""ConfigMaps and Secrets as what they have in common: named objects whose keys hold bytes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from minikctl.model.objects import Object
from minikctl.plan.pod.view import PodView


@dataclass(frozen=True)
class Source:
    """One of the two: how messages call it, where a view keeps it, what its keys hold.

    ``texts`` are the keys that may become variables, ``files`` those that may become files.
    """

    name: str
    word: str
    env_from: str
    named: Callable[[PodView], Mapping[str, Object]]
    texts: Callable[[Object], dict[str, bytes]]
    files: Callable[[Object], dict[str, bytes]]

    def find(self, view: PodView, name: str) -> Object | None:
        """Return the object of that name in the pod's namespace."""
        return self.named(view).get(name)


def _decoded(values: Mapping[str, str] | None) -> dict[str, bytes]:
    result: dict[str, bytes] = {}
    for key, text in (values or {}).items():
        try:
            result[key] = base64.b64decode(text)
        except (binascii.Error, ValueError):
            result[key] = b""
    return result


def _plain(config_map: Object) -> dict[str, bytes]:
    return {key: str(value).encode() for key, value in (config_map.get("data") or {}).items()}


def _with_binary(config_map: Object) -> dict[str, bytes]:
    return _plain(config_map) | _decoded(config_map.get("binaryData"))


def _secret(secret: Object) -> dict[str, bytes]:
    return _decoded(secret.get("data"))


CONFIG_MAP = Source(
    "ConfigMap", "configmap", "configMapRef", lambda view: view.config_maps, _plain, _with_binary
)
SECRET = Source("Secret", "secret", "secretRef", lambda view: view.secrets, _secret, _secret)
