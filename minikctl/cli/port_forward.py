"""``port-forward``: local ports that lead into a pod, and into its successor when it is replaced."""

from __future__ import annotations

from minikctl import errors
from minikctl.cli import pods, selection, timespan
from minikctl.cli.commands import Command
from minikctl.cli.flags import BadArguments, Options, flag, rest
from minikctl.cli.selection import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.session import Session

LOCAL_ADDRESSES = ("127.0.0.1", "::1")


class PortForwardOptions(Options):
    """What ``port-forward`` was asked."""

    arguments: tuple[str, ...] = rest(
        "TYPE/NAME [LOCAL_PORT:]REMOTE_PORT...", default=(), complete="forwardable"
    )
    address: tuple[str, ...] = flag(
        "--address",
        default=("localhost",),
        split=True,
        help="Addresses to listen on: IP addresses or localhost.",
    )
    timeout: str = flag(
        "--pod-running-timeout",
        default="1m0s",
        duration=True,
        help="How long to wait for a pod that runs, at first and after one was lost.",
    )
    once: bool = flag(
        "--once", default=False, help="End when the pod is lost, as kubectl always does.", own=True
    )


class Wanted:
    """A local port and what it leads to: a number or a name, of the Service or of the pod."""

    def __init__(self, text: str) -> None:
        parts = text.split(":")
        if len(parts) > 2:
            raise errors.UsageError(f"error: invalid port format '{text}'")
        self.remote = parts[-1]
        self.is_same = len(parts) == 1 or parts[0] == parts[1]
        self._local = parts[0] or "0"

    def local(self, remote: int) -> int:
        """Return the local port's number, 0 for any; the remote one's if they are to be the same."""
        return remote if self.is_same else _port(self._local, "local")


def _port(text: str, which: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        reason = "value out of range" if text.isdigit() else "invalid syntax"
        raise errors.UsageError(
            f"error: error parsing {which} port '{text}': strconv.ParseUint: parsing \"{text}\": {reason}"
        )
    return int(text)


class Goal:
    """What the user named, and the way from it to a pod and its ports, as often as it is needed."""

    def __init__(self, argument: str, wanted: list[Wanted], session: Session) -> None:
        self._session = session
        self._wanted = wanted
        kind = argument if "/" in argument else f"pods/{argument}"
        self.target = selection.parse([kind], session.discovery, session.namespace)[0]
        self.object: dict[str, Any] = session.client.request("GET", self.target.path()).json()

    @property
    def is_pod(self) -> bool:
        """Tell whether a pod itself was named."""
        return self.target.resource.qualified == "pods"

    def candidates(self) -> list[dict[str, Any]]:
        """Return the pods that can be meant now, the best one first; none is not an error."""
        found = pods.members(self.object, self.target, self._session) if not self.is_pod else self._itself()
        return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]

    def _itself(self) -> list[dict[str, Any]]:
        try:
            return [self._session.client.request("GET", self.target.path()).json()]
        except errors.StatusError as error:
            if error.code != 404:
                raise
            return []

    def ports(self, pod: dict[str, Any]) -> list[tuple[int, int]]:
        """Return (local port, pod's port) for each wanted one; errors are kubectl's."""
        if self.target.resource.qualified == "services":
            pairs = [self._through_service(wanted, pod) for wanted in self._wanted]
        else:
            pairs = [self._into_pod(wanted, pod) for wanted in self._wanted]
        return [
            (wanted.local(same), remote) for wanted, (same, remote) in zip(self._wanted, pairs, strict=True)
        ]

    def _into_pod(self, wanted: Wanted, pod: dict[str, Any]) -> tuple[int, int]:
        declared = [port for each in pod["spec"]["containers"] for port in each.get("ports") or ()]
        if not wanted.remote:
            raise errors.UsageError("error: remote port cannot be empty")
        number = (
            _port(wanted.remote, "local" if wanted.is_same else "remote")
            if wanted.remote.isdigit()
            else _named(wanted.remote, pod, declared)
        )
        if not number:
            raise errors.UsageError("error: remote port must be > 0")
        _check_protocol(declared, "containerPort", number, wanted.remote)
        return number, number

    def _through_service(self, wanted: Wanted, pod: dict[str, Any]) -> tuple[int, int]:
        spec, name = self.object["spec"], self.target.name
        declared = spec.get("ports") or []
        if wanted.remote.isdigit():
            number = int(wanted.remote)
        else:
            named = [port["port"] for port in declared if port.get("name") == wanted.remote]
            if not named:
                raise errors.UsageError(
                    f"error: Service '{name}' does not have a named port '{wanted.remote}'"
                )
            number = int(named[0])
        _check_protocol(declared, "port", number, wanted.remote)
        for port in declared:
            if port["port"] == number:
                return number, _target_port(port, spec, pod)
        raise errors.UsageError(f"error: Service {name} does not have a service port {number}")


def _check_protocol(declared: list[dict[str, Any]], field: str, number: int, asked: str) -> None:
    protocols = {port.get("protocol", "TCP") for port in declared if port.get(field) == number}
    if "UDP" in protocols and "TCP" not in protocols:
        raise errors.UsageError(f"error: UDP protocol is not supported for {asked}")


def _target_port(port: dict[str, Any], spec: dict[str, Any], pod: dict[str, Any]) -> int:
    wanted = port.get("targetPort") or port["port"]
    if spec.get("clusterIP") == "None":
        return int(port["port"])
    if isinstance(wanted, int):
        return wanted
    return _named(wanted, pod, [each for c in pod["spec"]["containers"] for each in c.get("ports") or ()])


def _named(name: str, pod: dict[str, Any], declared: list[dict[str, Any]]) -> int:
    for port in declared:
        if port.get("name") == name:
            return int(port["containerPort"])
    raise errors.UsageError(f"error: Pod '{pod['metadata']['name']}' does not have a named port '{name}'")


def run(options: PortForwardOptions, session: Session) -> int:
    """Forward until interrupted; return the exit code."""
    if len(options.arguments) < 2:
        raise BadArguments("TYPE/NAME and list of ports are required for port-forward")
    from minikctl.cli import forwarding

    goal = Goal(options.arguments[0], [Wanted(text) for text in options.arguments[1:]], session)
    seconds = timespan.seconds(options.timeout)
    pod = forwarding.first(goal, seconds)
    ports = goal.ports(pod)
    addresses = _addresses(options.address)
    phase = (pod.get("status") or {}).get("phase")
    if phase != "Running":
        raise errors.UsageError(
            f"error: unable to forward port because pod is not running. Current status={phase}"
        )
    plan = forwarding.Plan(addresses, ports, seconds, is_once=options.once)
    return forwarding.run(goal, pod, plan, session)


def _addresses(texts: tuple[str, ...]) -> list[tuple[str, bool]]:
    """Return each address, in order, with whether it must be listened on (of localhost's, one is enough)."""
    import ipaddress

    found: dict[str, bool] = {}
    for text in texts:
        if text == "localhost":
            found |= {address: False for address in LOCAL_ADDRESSES if address not in found}
            continue
        try:
            ipaddress.ip_address(text)
        except ValueError:
            raise errors.UsageError(f"error: {text} is not a valid IP") from None
        found[text] = True
    return sorted(found.items())


def pod_path(pod: dict[str, Any], subresource: str, session: Session) -> str:
    """Return the path of a pod or its subresource."""
    metadata = pod["metadata"]
    return Target(session.discovery.find("pods"), metadata["name"], metadata["namespace"]).path(subresource)


COMMANDS = {
    "port-forward": Command(
        "Forward one or more local ports to a pod.\n\nWhen the pod is replaced, the forwarding goes on with the next "
        "one of the same workload or Service, or of the same name; connections that are open stay with the old one "
        "until it is gone.",
        PortForwardOptions,
        run,
        usage="TYPE/NAME [options] [LOCAL_PORT:]REMOTE_PORT [...[LOCAL_PORT_N:]REMOTE_PORT_N]",
        examples=(
            ("Port 8080 here is port 80 of the Service's pod", "minikctl port-forward svc/web 8080:80"),
            ("The same port on both sides, of a Deployment's pod", "minikctl port-forward deploy/web 8080"),
            ("Any free port here", "minikctl port-forward pod/web-1 :8080"),
        ),
    )
}
