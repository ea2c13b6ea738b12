"""What a Compose service says of name servers, shared memory and the kernel, as fields of a pod.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from minikctl.cli.compose_text import amount
from minikctl.plan.podsecurity import baseline

Object = dict[str, Any]

SHARED = "/dev/shm"
_DNS = (("nameservers", "dns"), ("searches", "dns_search"))


def fields(given: Mapping[str, Any]) -> Object:
    """Return fields of the pod; its name servers come after the cluster's."""
    found: Object = {}
    dns = {ours: [str(each) for each in listed(given.get(theirs))] for ours, theirs in _DNS}
    options = [
        {"name": name, "value": value} if is_set else {"name": name}
        for name, is_set, value in (str(each).partition(":") for each in listed(given.get("dns_opt")))
    ]
    config = {name: value for name, value in (*dns.items(), ("options", options)) if value}
    if config:
        found["dnsConfig"] = config
    sysctls = [{"name": name, "value": value} for name, value in _sysctls(given) if name in baseline.SYSCTLS]
    if sysctls:
        found["securityContext"] = {"sysctls": sysctls}
    return found


def shared(given: Mapping[str, Any]) -> Iterator[tuple[Object, Object]]:
    """Yield the volume and the mount of shared memory whose size is told."""
    if given.get("shm_size"):
        size = {"medium": "Memory", "sizeLimit": amount(given["shm_size"])}
        yield {"name": "shared-memory", "emptyDir": size}, {"name": "shared-memory", "mountPath": SHARED}


def remarks(given: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is said of sysctls that a cluster takes only if it was told to."""
    for name, value in _sysctls(given):
        if name not in baseline.SYSCTLS:
            yield (
                f"sysctls.{name}: not taken over: add {name}={value} to securityContext.sysctls in a cluster of "
                f"`minikctl cluster start --allowed-unsafe-sysctls={name}`"
            )


def _sysctls(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = given.get("sysctls") or ()
    if isinstance(found, Mapping):
        return [(str(name), str(value)) for name, value in found.items()]
    return [(name, value) for name, _, value in (str(entry).partition("=") for entry in found)]


def listed(value: Any) -> list[Any]:
    """Return the entries of what may be one or several."""
    return [value] if isinstance(value, str) else list(value or ())
