"""How the kinds that roll out tell of it: in which sentences, and where their earlier templates are."""

from __future__ import annotations

import json

from minikctl import errors
from minikctl.cli.selection import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from minikctl.cli.session import Session

REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"


class Way:
    """One kind: its sentence on a rollout's progress, the kind that keeps its history, and a missing one."""

    def __init__(
        self,
        progress: Callable[[dict[str, Any]], tuple[str, bool]],
        keeper: str,
        none_before: str,
    ) -> None:
        self.progress = progress
        self.keeper = keeper
        self.none_before = none_before

    def revisions(self, target: Target, obj: dict[str, Any], session: Session) -> dict[int, dict[str, Any]]:
        """Return what keeps each template, by its revision."""
        place = Target(session.discovery.find(self.keeper), "", target.namespace)
        found: dict[int, dict[str, Any]] = {}
        for each in session.client.request("GET", place.path()).json()["items"]:
            owners = each["metadata"].get("ownerReferences") or ()
            if any(owner["uid"] == obj["metadata"]["uid"] for owner in owners):
                found[_number(each)] = each
        return found


def of(target: Target) -> Way | None:
    """Return the way of the target's kind, None if it does not roll out."""
    return WAYS.get(target.resource.qualified)


def _number(keeper: dict[str, Any]) -> int:
    if "revision" in keeper:
        return int(keeper["revision"])
    return int((keeper["metadata"].get("annotations") or {}).get(REVISION) or 0)


def template(keeper: dict[str, Any]) -> dict[str, Any]:
    """Return the template that is kept, as it stands in the owner's spec."""
    spec = keeper["data"]["spec"] if "data" in keeper else keeper["spec"]
    found: dict[str, Any] = json.loads(json.dumps(spec["template"]))
    found.pop("$patch", None)
    found["metadata"].get("labels", {}).pop(HASH, None)
    return found


def _is_behind(obj: dict[str, Any]) -> bool:
    observed = (obj.get("status") or {}).get("observedGeneration", 0)
    return bool(obj["metadata"].get("generation", 0) > observed)


def _deployment(obj: dict[str, Any]) -> tuple[str, bool]:
    name, spec, status = obj["metadata"]["name"], obj["spec"], obj.get("status") or {}
    if _is_behind(obj):
        return "Waiting for deployment spec update to be observed...", False
    for condition in status.get("conditions") or ():
        if condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            raise errors.UsageError(f'error: deployment "{name}" exceeded its progress deadline')
    wanted, updated = spec.get("replicas", 1), status.get("updatedReplicas", 0)
    total, available = status.get("replicas", 0), status.get("availableReplicas", 0)
    head = f'Waiting for deployment "{name}" rollout to finish: '
    if updated < wanted:
        return f"{head}{updated} out of {wanted} new replicas have been updated...", False
    if total > updated:
        return f"{head}{total - updated} old replicas are pending termination...", False
    if available < updated:
        return f"{head}{available} of {updated} updated replicas are available...", False
    return f'deployment "{name}" successfully rolled out', True


def _require_rolling(obj: dict[str, Any]) -> None:
    if (obj["spec"].get("updateStrategy") or {}).get("type", "RollingUpdate") != "RollingUpdate":
        raise errors.UsageError("error: rollout status is only available for RollingUpdate strategy type")


def _daemon_set(obj: dict[str, Any]) -> tuple[str, bool]:
    _require_rolling(obj)
    name, status = obj["metadata"]["name"], obj.get("status") or {}
    if _is_behind(obj):
        return "Waiting for daemon set spec update to be observed...", False
    wanted, updated = status.get("desiredNumberScheduled", 0), status.get("updatedNumberScheduled", 0)
    head = f'Waiting for daemon set "{name}" rollout to finish: '
    if updated < wanted:
        return f"{head}{updated} out of {wanted} new pods have been updated...", False
    if status.get("numberAvailable", 0) < wanted:
        return f"{head}{status.get('numberAvailable', 0)} of {wanted} updated pods are available...", False
    return f'daemon set "{name}" successfully rolled out', True


def _stateful_set(obj: dict[str, Any]) -> tuple[str, bool]:
    _require_rolling(obj)
    spec, status = obj["spec"], obj.get("status") or {}
    if not status.get("observedGeneration") or _is_behind(obj):
        return "Waiting for statefulset spec update to be observed...", False
    wanted, updated = spec.get("replicas", 1), status.get("updatedReplicas", 0)
    ready = status.get("readyReplicas", 0)
    if ready < wanted:
        return f"Waiting for {wanted - ready} pods to be ready...", False
    rolling = (spec.get("updateStrategy") or {}).get("rollingUpdate")
    if rolling is not None:
        due = wanted - (rolling.get("partition") or 0)
        if updated < due:
            text = f"{updated} out of {due} new pods have been updated..."
            return f"Waiting for partitioned roll out to finish: {text}", False
        return f"partitioned roll out complete: {updated} new pods have been updated...", True
    before, after = status.get("currentRevision"), status.get("updateRevision")
    if before != after:
        text = f"waiting for statefulset rolling update to complete {updated} pods at revision {after}..."
        return text, False
    count = status.get("currentReplicas", 0)
    return f"statefulset rolling update complete {count} pods at revision {before}...", True


WAYS = {
    "deployments.apps": Way(
        _deployment, "replicasets.apps", 'no rollout history found for deployment "{name}"'
    ),
    "daemonsets.apps": Way(_daemon_set, "controllerrevisions.apps", "no last revision to roll back to"),
    "statefulsets.apps": Way(_stateful_set, "controllerrevisions.apps", "no last revision to roll back to"),
}
"""The kinds that roll out, by their full names."""
