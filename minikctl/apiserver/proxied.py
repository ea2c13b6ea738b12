"""Where a request to a pod's or Service's ``proxy`` subresource goes, in upstream's rules and words."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from minikctl import errors
from minikctl.model import objects
from minikctl.model.objects import Object

Choose = Callable[[Sequence[tuple[str, int]]], tuple[str, int]]


@dataclass(frozen=True)
class Named:
    """``[scheme:]name[:port]``; the port is a number or a name."""

    scheme: str
    name: str
    port: str


@dataclass(frozen=True)
class Location:
    """A server in the cluster."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Return ``host:port``, without the scheme's usual port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _usual(self.scheme) else f"{host}:{self.port}"


def _usual(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def split(text: str, kind: str) -> Named:
    """Return the parts of the name in the path; 400 when it has too many or an unknown scheme."""
    parts = text.split(":")
    scheme = parts.pop(0) if len(parts) == 3 else ""
    if len(parts) > 2 or scheme not in ("", "http", "https") or not parts[0]:
        raise errors.bad_request(f'invalid {kind} request "{text}"')
    return Named(scheme, parts[0], parts[1] if len(parts) == 2 else "")


def of_pod(pod: Object, wanted: Named) -> Location:
    """Return the pod's address and the wanted port, else the first that it declares, else the usual one."""
    address = str(objects.status(pod).get("podIP") or "")
    if not _is_proxyable(address):
        raise errors.bad_request("address not allowed")
    scheme = wanted.scheme or "http"
    if not wanted.port:
        declared = [
            port for each in objects.spec(pod).get("containers") or () for port in each.get("ports") or ()
        ]
        return Location(scheme, address, int(declared[0]["containerPort"]) if declared else _usual(scheme))
    if not wanted.port.isdigit() or not 0 < int(wanted.port) < 65536:
        raise errors.bad_request(f'invalid port "{wanted.port}" of pod {wanted.name}: it must be a number')
    return Location(scheme, address, int(wanted.port))


def of_service(
    service: Object, endpoints: Object | None, wanted: Named, choose: Choose = random.choice
) -> Location:
    """Return one of the Service's ready endpoints; 503 when there is none, or no such port."""
    name, port = objects.name(service), wanted.port
    if port.isdigit():
        named = [each for each in objects.spec(service).get("ports") or () if each.get("port") == int(port)]
        if not named:
            raise _unavailable(f'no service port {port} found for service "{name}"')
        port = str(named[0].get("name") or "")
    found = [
        (str(address["ip"]), int(each["port"]))
        for subset in (endpoints or {}).get("subsets") or ()
        for each in subset.get("ports") or ()
        if str(each.get("name") or "") == port
        for address in subset.get("addresses") or ()
    ]
    if not found:
        raise _unavailable(f'no endpoints available for service "{name}"')
    host, number = choose(found)
    if not _is_proxyable(host):
        raise errors.bad_request("address not allowed")
    return Location(wanted.scheme or "http", host, number)


def _is_proxyable(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not (found.is_loopback or found.is_link_local or found.is_multicast or found.is_unspecified)


def _unavailable(text: str) -> errors.StatusError:
    return errors.StatusError(503, "ServiceUnavailable", text)
