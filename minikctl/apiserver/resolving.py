"""From a Service's name and port to an address at which one of its endpoints answers."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

from minikctl.apiserver import feed
from minikctl.model import kinds, objects
from minikctl.model.objects import Object

Address = tuple[str, int]
Choose = Callable[[Sequence[Address]], Address]

_SERVICE_NAME = "kubernetes.io/service-name"


class Unresolved(Exception):
    """Nobody answers for the Service; the text is that of Kubernetes' resolver."""


def endpoint(
    source: feed.Feed, namespace: str, name: str, port: int, choose: Choose = random.choice
) -> Address:
    """Return a ready endpoint of the Service; an ExternalName is passed on."""
    entry = source.collection(kinds.SERVICE).get((namespace, name))
    if entry is None:
        raise Unresolved(f'service "{name}" not found')
    spec = objects.spec(entry.object)
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName")), port
    wanted = next((each for each in spec.get("ports") or () if each.get("port") == port), None)
    if wanted is None:
        raise Unresolved(f'no service port {port} found for service "{name}"')
    slices = (each.object for each in source.collection(kinds.ENDPOINT_SLICE).entries(namespace))
    found = list(_ready(slices, name, str(wanted.get("name") or "")))
    if not found:
        raise Unresolved(f'no endpoints available for service "{name}"')
    return choose(found)


def _ready(slices: Iterator[Object], service: str, port: str) -> Iterator[Address]:
    for each in slices:
        if objects.labels(each).get(_SERVICE_NAME) != service:
            continue
        numbers = [
            p["port"] for p in each.get("ports") or () if str(p.get("name") or "") == port and p.get("port")
        ]
        for found in each.get("endpoints") or ():
            if (found.get("conditions") or {}).get("ready") is False:
                continue
            for address in (found.get("addresses") or ())[:1]:
                for number in numbers:
                    yield str(address), int(number)
