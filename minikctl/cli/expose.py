"""``expose``: put a Service in front of what a Deployment, ReplicaSet, Pod or Service selects."""

from __future__ import annotations

from minikctl import errors
from minikctl.cli import changing, creating, generators
from minikctl.cli.commands import Command
from minikctl.cli.flags import flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.selection import Target
    from minikctl.cli.session import Session


class ExposeOptions(changing.Chosen, creating.Overridden):
    """What ``expose`` was asked."""

    LACKS = ("all", "validate")

    MANAGER = "kubectl-expose"

    arguments: tuple[str, ...] = changing.chosen(
        "objects:deployments,pods,services,replicasets,replicationcontrollers"
    )
    port: str = flag("--port", default="", help="The Service's port; the object's own if not given.")
    target_port: str = flag("--target-port", default="", help="The container's port, by number or name.")
    protocol: str = flag("--protocol", default="", help="TCP, UDP or SCTP.", complete="TCP UDP SCTP")
    name: str = flag("--name", default="", help="The Service's name; the object's own if not given.")
    type: str = flag(
        "--type",
        default="",
        help="ClusterIP, NodePort or LoadBalancer.",
        complete="ClusterIP NodePort LoadBalancer",
    )
    external_ip: str = flag("--external-ip", default="", help="A further address that leads to the Service.")
    balancer_ip: str = flag(
        "--load-balancer-ip", default="", help="The address that a LoadBalancer is to get."
    )
    affinity: str = flag(
        "--session-affinity",
        default="",
        help="None, or ClientIP: a client keeps its pod.",
        complete="None ClientIP",
    )
    cluster_ip: str = flag("--cluster-ip", default="", help='The Service\'s address, or "None" for headless.')
    selector: str = flag(
        "--selector", default="", help="The labels of the pods; the object's own if not given."
    )
    labels: str = flag("--labels", "-l", default="", help="Labels for the Service.")


def run(options: ExposeOptions, session: Session) -> int:
    """Create the Services; return the exit code."""
    chosen = changing.Chosen(
        arguments=options.arguments, files=options.files, recursive=options.recursive, all=options.all
    )
    for target in changing.targets(chosen, session):
        source = session.client.request("GET", target.path()).json()
        made = creating.overridden(options, _service(options, source, target))
        creating.make(options, made, session, "exposed")
    return 0


def _service(options: ExposeOptions, source: dict[str, Any], target: Target) -> dict[str, Any]:
    ports = [_entry(options, *found) for found in _ports(options, source)]
    if len(ports) > 1:
        for number, entry in enumerate(ports, 1):
            entry["name"] = f"port-{number}"
    spec: dict[str, Any] = {"ports": ports, "selector": _selector(options, source, target)}
    for key, value in (
        ("type", options.type),
        ("clusterIP", options.cluster_ip),
        ("loadBalancerIP", options.balancer_ip),
        ("sessionAffinity", _affinity(options)),
    ):
        if value:
            spec[key] = value
    if options.external_ip:
        spec["externalIPs"] = [options.external_ip]
    obj = generators.named("v1", "Service", options.name or target.name, spec=spec)
    labels = generators.labels(options.labels) or source["metadata"].get("labels")
    if labels:
        obj["metadata"]["labels"] = labels
    return {**obj, "status": {"loadBalancer": {}}}


def _entry(options: ExposeOptions, port: int, protocol: str) -> dict[str, Any]:
    text = options.target_port
    return {
        "port": port,
        "protocol": options.protocol or protocol,
        "targetPort": int(text) if text.isdigit() else (text or port),
    }


def _ports(options: ExposeOptions, source: dict[str, Any]) -> list[tuple[int, str]]:
    if options.port:
        return [
            (generators.number(part, f'strconv.Atoi: parsing "{part}": invalid syntax'), "TCP")
            for part in options.port.split(",")
        ]
    spec = source.get("spec") or {}
    pod = (spec.get("template") or {}).get("spec") or spec
    found = [
        (p["containerPort"], p.get("protocol", "TCP"))
        for c in pod.get("containers") or ()
        for p in c.get("ports") or ()
    ]
    found += [(p["port"], p.get("protocol", "TCP")) for p in spec.get("ports") or ()]
    if not found:
        raise errors.UsageError("error: couldn't find port via --port flag or introspection")
    return found


def _affinity(options: ExposeOptions) -> str:
    if options.affinity not in ("", "None", "ClientIP"):
        raise errors.UsageError(f"error: unknown session affinity: {options.affinity}")
    return options.affinity


def _selector(options: ExposeOptions, source: dict[str, Any], target: Target) -> dict[str, str]:
    if options.selector:
        return generators.labels(options.selector)
    if target.resource.name == "pods":
        labels: dict[str, str] = source["metadata"].get("labels") or {}
        if not labels:
            raise errors.UsageError("error: the pod has no labels and cannot be exposed")
        return labels
    selector = (source.get("spec") or {}).get("selector") or {}
    found: dict[str, str] = selector.get("matchLabels", selector)
    if not found or "matchExpressions" in selector:
        raise errors.UsageError(f"error: cannot expose a {target.resource.kind}")
    return found


COMMANDS = {
    "expose": Command(
        "Put a Service in front of what a Deployment, ReplicaSet, Pod or Service selects.",
        ExposeOptions,
        run,
        usage="(-f FILENAME | TYPE NAME) [--port=PORT] [--target-port=PORT] [--name=NAME] [--type=TYPE]",
        examples=(
            ("A Service for a Deployment", "minikctl expose deployment web --port=80 --target-port=8080"),
            ("A port on this machine for a pod", "minikctl expose pod web --port=80 --type=NodePort"),
        ),
    )
}
