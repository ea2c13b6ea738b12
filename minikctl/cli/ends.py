"""The ends of a connection as users name them: ``web-1``, ``shop/web-1``, ``deploy/web``, ``svc/web:http``, 10.0.0.7."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from minikctl import errors
from minikctl.cli import pods
from minikctl.cli.selection import Target
from minikctl.cli.session import Session
from minikctl.model import objects
from minikctl.plan import service_ports, userspace
from minikctl.plan.netpol_verdict import Connection, End, World, named_ports

PROTOCOLS = ("TCP", "UDP", "SCTP")
SERVICE_NAME = "kubernetes.io/service-name"


@dataclass(frozen=True)
class Goal:
    """Where a connection is to go: a title, and every (end, port) that it may arrive at."""

    title: str
    arrivals: tuple[tuple[End, int], ...]
    is_virtual: bool = False
    """It is a Service with an address of its own, so something takes connections from there to its pods."""


class Reader:
    """Reads from the API what the names of ends mean; ``namespace`` is where plain names are looked up."""

    def __init__(self, session: Session, protocol: str) -> None:
        self._session = session
        self.protocol = protocol

    def listed(self, resource: str, namespace: str = "") -> list[dict[str, Any]]:
        """Return all objects of a resource, in one namespace or in all."""
        place = Target(self._session.discovery.find(resource), "", namespace)
        found = self._session.client.request("GET", place.path()).json()
        return list(found.get("items") or ())

    def one(self, resource: str, namespace: str, name: str) -> dict[str, Any] | None:
        """Return an object, None when it does not exist."""
        target = Target(self._session.discovery.find(resource), name, namespace)
        try:
            found: dict[str, Any] = self._session.client.request("GET", target.path()).json()
        except errors.StatusError as error:
            if error.code != 404:
                raise
            return None
        return found

    def world(self) -> World:
        """Return what decides about connections."""
        spaces = {objects.name(one): objects.labels(one) for one in self.listed("namespaces")}
        return World(tuple(self.listed("networkpolicies.networking.k8s.io")), spaces)

    def source(self, text: str) -> End:
        """Return where a connection is to come from: a pod, or an address."""
        if is_address(text):
            return self.at(text)
        return self.of_pod(self._pod(text) or pods.named(text, self._session)[0])

    def goal(self, text: str) -> Goal:
        """Return where it is to go: HOST:PORT, the port a number or a name."""
        host, colon, port = text.rpartition(":")
        if not colon or not host or not port:
            raise errors.UsageError(f"error: the target needs a port, as in {text or 'web'}:80")
        kind, slash, name = host.rpartition("/")
        if slash and kind in ("svc", "service", "services"):
            return self._service(self._session.namespace, name, port)
        if is_address(host):
            return self._address(host, port)
        pod = self._pod(host)
        if pod is None and slash and kind not in self._namespaces():
            pod = pods.named(host, self._session)[0]
        if pod is not None:
            end = self.of_pod(pod)
            return Goal(f"{end}", ((end, self._pod_port(pod, port)),))
        if slash:
            return self._service(kind, name, port)
        name, _, rest = host.partition(".")
        return self._service(rest.split(".")[0] or self._session.namespace, name, port)

    def _namespaces(self) -> set[str]:
        return {objects.name(one) for one in self.listed("namespaces")}

    def _pod(self, text: str) -> dict[str, Any] | None:
        """Return the pod ``NAME`` or ``NAMESPACE/NAME``, None when there is no such pod."""
        namespace, slash, name = text.rpartition("/")
        if namespace in ("pod", "pods", "po"):
            namespace = ""
        if not name or "/" in namespace:
            raise errors.UsageError(
                f"error: {text!r} is neither POD, NAMESPACE/POD, TYPE/NAME nor an address"
            )
        return self.one("pods", namespace if slash and namespace else self._session.namespace, name)

    def of_pod(self, pod: dict[str, Any]) -> End:
        """Return a pod as an end."""
        address = str(objects.status(pod).get("podIP") or "")
        if not address:
            raise errors.UsageError(f"error: pod {objects.name(pod)} has no address (yet)")
        return End(address, pod, node=bool(objects.spec(pod).get("hostNetwork")))

    def at(self, address: str) -> End:
        """Return what has an address: a pod, the node, or something outside."""
        for pod in self.listed("pods"):
            status = objects.status(pod)
            running = status.get("phase") not in ("Succeeded", "Failed")
            if status.get("podIP") == address and running and not objects.spec(pod).get("hostNetwork"):
                return End(address, pod)
        nodes = [one for node in self.listed("nodes") for one in objects.status(node).get("addresses") or ()]
        return End(address, node=address in [one.get("address") for one in nodes])

    def _address(self, address: str, port: str) -> Goal:
        for service in self.listed("services"):
            if address in (objects.spec(service).get("clusterIPs") or ()):
                return self._service(*objects.key(service), port)
        end = self.at(address)
        if end.pod is not None:
            return Goal(str(end), ((end, self._pod_port(end.pod, port)),))
        return Goal(str(end), ((end, number(port)),))

    def _pod_port(self, pod: dict[str, Any], port: str) -> int:
        if port.isdecimal():
            return number(port)
        for name, protocol, found in named_ports(pod):
            if (name, protocol) == (port, self.protocol):
                return found
        raise errors.UsageError(f"error: pod {objects.name(pod)} has no {self.protocol} port named {port}")

    def _service(self, namespace: str, name: str, port: str) -> Goal:
        service = self.one("services", namespace, name)
        if service is None:
            raise errors.UsageError(
                f"error: there is no pod and no service {name!r} in namespace {namespace}"
            )
        listed = objects.spec(service).get("ports") or ()
        wanted = [one for one in listed if port in (str(one.get("port")), one.get("name"))]
        wanted = [one for one in wanted if (one.get("protocol") or "TCP") == self.protocol]
        if not wanted:
            have = ", ".join(f"{one.get('port')}/{one.get('protocol') or 'TCP'}" for one in listed)
            raise errors.UsageError(
                f"error: service {name} has no port {port}/{self.protocol}; it has {have}"
            )
        arrivals = tuple(self._endpoints(service, wanted[0]))
        title = f"service {namespace}/{name}:{wanted[0]['port']}"
        return Goal(title, arrivals, is_virtual=not service_ports.is_headless(service))

    def _endpoints(self, service: dict[str, Any], port: dict[str, Any]) -> list[tuple[End, int]]:
        namespace, name = objects.key(service)
        by_address: dict[str, End] = {}
        for pod in self.listed("pods"):
            address = objects.status(pod).get("podIP")
            if address and not objects.spec(pod).get("hostNetwork"):
                by_address[address] = End(address, pod)
        found = []
        for piece in self.listed("endpointslices", namespace):
            if objects.labels(piece).get(SERVICE_NAME) != name:
                continue
            for one in piece.get("ports") or ():
                same = (one.get("name") or "") == (port.get("name") or "")
                if not same or (one.get("protocol") or "TCP") != self.protocol or not one.get("port"):
                    continue
                for entry in piece.get("endpoints") or ():
                    if (entry.get("conditions") or {}).get("ready") is not False:
                        address = entry["addresses"][0]
                        found.append((by_address.get(address) or End(address), int(one["port"])))
        return found

    def is_masked(self, goal: Goal) -> bool:
        """Tell whether connections there are made by a proxy, which is the client that policies see."""
        if not goal.is_virtual or self.protocol != "TCP":
            return False
        return userspace.is_proxy(self.one("daemonsets", *userspace.DAEMON_SET) or {})

    def connections(self, source: End, goal: Goal) -> list[Connection]:
        """Return every connection that may come of it."""
        return [Connection(source, end, port, self.protocol) for end, port in goal.arrivals]


def is_address(text: str) -> bool:
    """Tell whether the text is an IPv4 address."""
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def number(port: str) -> int:
    """Return a port's number; a name is refused where nothing has names."""
    if not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise errors.UsageError(f"error: {port!r} is not a port")
    return int(port)
