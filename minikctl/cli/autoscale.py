"""``autoscale``: a HorizontalPodAutoscaler for a workload."""

from __future__ import annotations

from minikctl import errors
from minikctl.cli import changing, creating, report
from minikctl.cli.commands import Command
from minikctl.cli.discovery import Resource
from minikctl.cli.flags import flag
from minikctl.cli.selection import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.session import Session

RESOURCE = Resource(
    "autoscaling",
    "v2",
    "horizontalpodautoscalers",
    "horizontalpodautoscaler",
    "HorizontalPodAutoscaler",
    namespaced=True,
)
NOT_GIVEN = -(10**9)
DEPRECATED = (
    "Flag --cpu-percent has been deprecated, Use --cpu with percentage or resource quantity format "
    "(e.g., '70%' for utilization or '500m' for milliCPU)."
)


class AutoscaleOptions(changing.Chosen, creating.Creating):
    """What ``autoscale`` was asked."""

    LACKS = ("all", "labels", "validate")

    MANAGER = "kubectl-autoscale"

    arguments: tuple[str, ...] = changing.chosen(
        "objects:deployments,statefulsets,replicasets,replicationcontrollers"
    )
    minimum: int = flag(
        "--min", default=-1, help="The lowest number of replicas; the server's default if left out."
    )
    maximum: int = flag("--max", default=NOT_GIVEN, help="The highest number of replicas.")
    cpu: str = flag("--cpu", default="", help="Average CPU: 70% of the requests, or an amount such as 500m.")
    memory: str = flag(
        "--memory", default="", help="Average memory: 70% of the requests, or an amount such as 200Mi."
    )
    cpu_percent: int = flag(
        "--cpu-percent", default=-1, help="The same as --cpu with a percentage.", hidden=True
    )
    name: str = flag("--name", default="", help="The autoscaler's name; the workload's if left out.")


def run(options: AutoscaleOptions, session: Session) -> int:
    """Create the autoscalers; return the exit code."""
    if options.cpu_percent >= 0:
        session.io.warn(DEPRECATED)
    if options.maximum == NOT_GIVEN:
        raise errors.UsageError('error: required flag(s) "max" not set')
    if options.maximum < 1:
        raise errors.UsageError(
            f"error: --max=MAXPODS is required and must be at least 1, max: {options.maximum}"
        )
    if options.maximum < options.minimum:
        raise errors.UsageError(
            "error: --max=MAXPODS must be larger or equal to --min=MINPODS, "
            f"max: {options.maximum}, min: {options.minimum}"
        )
    failed = False
    for target in changing.targets(options, session):
        try:
            _create(options, target, session)
        except errors.MinikctlError as error:
            session.io.warn(report.sentence(error))
            failed = True
    return 1 if failed else 0


def _check_scalable(target: Target, session: Session) -> None:
    """Refuse what is not there, and what has no scale."""
    session.client.request("GET", target.path())
    try:
        session.client.request("GET", target.path("scale"))
    except errors.StatusError as error:
        if error.code != 404:
            raise
        resource = target.resource
        raise errors.UsageError(
            f"error: cannot autoscale a {resource.kind}: could not find scale subresource for "
            f"{resource.group}/{resource.version}, Resource={resource.name} in discovery information"
        ) from error


def _create(options: AutoscaleOptions, target: Target, session: Session) -> None:
    _check_scalable(target, session)
    obj = autoscaler(options, target)
    made = Target(RESOURCE, obj["metadata"]["name"], target.namespace)
    creating.send(options, made, obj, session, "created" if options.dry_run == "client" else "autoscaled")


def autoscaler(options: AutoscaleOptions, target: Target) -> dict[str, Any]:
    """Return the object."""
    reference = {"apiVersion": target.resource.api_version, "kind": target.resource.kind, "name": target.name}
    spec: dict[str, Any] = {"maxReplicas": options.maximum, "scaleTargetRef": reference}
    if options.minimum > 0:
        spec["minReplicas"] = options.minimum
    cpu = options.cpu or (f"{options.cpu_percent}%" if options.cpu_percent >= 0 else "")
    metrics = [_metric(name, text) for name, text in (("cpu", cpu), ("memory", options.memory)) if text]
    if metrics:
        spec["metrics"] = metrics
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": options.name or target.name},
        "spec": spec,
        "status": {"currentMetrics": None, "desiredReplicas": 0},
    }


def _metric(name: str, text: str) -> dict[str, Any]:
    if text.endswith("%"):
        if not (share := text.removesuffix("%")).isdecimal():
            raise errors.UsageError(f"error: invalid percentage value: {share}")
        wanted: dict[str, Any] = {"averageUtilization": int(share), "type": "Utilization"}
    else:
        _check_amount(name, text)
        wanted = {"averageValue": text, "type": "AverageValue"}
    return {"type": "Resource", "resource": {"name": name, "target": wanted}}


def _check_amount(name: str, text: str) -> None:
    from minikctl.model import quantity

    try:
        quantity.parse(text)
    except ValueError:
        raise errors.UsageError(f"error: invalid resource {name} value: {text}") from None


COMMANDS = {
    "autoscale": Command(
        "Create a HorizontalPodAutoscaler, which chooses how many replicas run.",
        AutoscaleOptions,
        run,
        usage="(-f FILENAME | TYPE NAME | TYPE/NAME) [--min=MINPODS] --max=MAXPODS [--cpu=CPU] [--memory=MEMORY]",
        examples=(
            ("Between 2 and 10 replicas", "minikctl autoscale deployment web --min=2 --max=10 --cpu=80%"),
            ("By memory", "minikctl autoscale deployment/web --max=5 --memory=200Mi"),
        ),
    )
}
