"""Eviction: a deletion that asks the disruption budget first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from minikctl import errors
from minikctl.apiserver import patching, subresources
from minikctl.apiserver.options import DELETE, DeleteOptions, WriteOptions
from minikctl.apiserver.registry import Registry
from minikctl.model import kinds, objects
from minikctl.model.objects import Object
from minikctl.plan import conditions, disruption, readiness

MOST_NOTED = 2000
"""So many evictions at most may wait to be seen by the budget's controller."""
REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."


async def evict(
    registry: Registry, namespace: str, name: str, eviction: Object, options: WriteOptions
) -> Object:
    """Delete the pod gracefully if its budget allows; 429 if not, so that clients try again."""
    if objects.name(eviction) != name:
        raise errors.bad_request("name in URL does not match name in Eviction object")
    wanted = subresources.delete_options(deletion(eviction))
    pod = registry.get(kinds.POD, namespace, name)
    await registry.admission.admit_part(kinds.POD, (namespace, name), "eviction", eviction, options)
    if not _may_go_anyway(pod):
        await _charge(registry, pod, options)
    if not options.dry_run:
        await _tell(registry, pod)
    await registry.delete(kinds.POD, namespace, name, _unless_changed(wanted, pod), write=options)
    return subresources.success(code=201)


def deletion(eviction: Object) -> Object:
    """Return what an eviction says of the deletion, {} if nothing; 400 for what is no object."""
    return subresources.part(eviction, "deleteOptions", "Eviction.deleteOptions of type v1.DeleteOptions")


def _may_go_anyway(pod: Object) -> bool:
    """Tell whether the pod does no work that a budget could protect."""
    return objects.is_deleting(pod) or readiness.phase(pod) in ("Pending", "Succeeded", "Failed")


def _unless_changed(wanted: DeleteOptions | None, pod: Object) -> DeleteOptions:
    """Return the options with the pod's uid as a condition: another pod of that name was not meant."""
    found = wanted or DELETE
    return found if found.uid else replace(found, uid=objects.uid(pod))


def _budgets(registry: Registry, pod: Object) -> list[Object]:
    budgets = registry.feed.collection(kinds.POD_DISRUPTION_BUDGET).entries(objects.namespace(pod))
    return [
        each.object for each in budgets if disruption.selector_of(each.object).matches(objects.labels(pod))
    ]


async def _charge(registry: Registry, pod: Object, options: WriteOptions) -> None:
    """Have the pod's budget, if it has one, count the eviction; raises its refusal."""
    budgets = _budgets(registry, pod)
    if len(budgets) > 1:
        text = (
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        )
        raise errors.StatusError(500, "InternalError", text)
    if not budgets or _needs_no_budget(pod, budgets[0]):
        return

    def change(budget: Object) -> Object:
        return _charged(patching.copied(budget), pod, objects.timestamp(registry.clock.now()))

    key = objects.key(budgets[0])
    await registry.modify(kinds.POD_DISRUPTION_BUDGET, key, change, options, subresource="status")


def _needs_no_budget(pod: Object, budget: Object) -> bool:
    """Tell whether the pod is not healthy and, by the budget's policy, may therefore go."""
    if readiness.is_ready(pod):
        return False
    if objects.spec(budget).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = objects.status(budget)
    needed = int(status.get("desiredHealthy") or 0)
    return needed > 0 and int(status.get("currentHealthy") or 0) >= needed


def _charged(budget: Object, pod: Object, now: str) -> Object:
    status: dict[str, Any] = dict(objects.status(budget))
    name, noted = objects.name(budget), dict(status.get("disruptedPods") or {})
    if int(status.get("observedGeneration") or 0) < objects.generation(budget):
        raise _refusal(f"The disruption budget {name} is still being processed by the server.", 10)
    if len(noted) > MOST_NOTED:
        detail = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise errors.forbidden("poddisruptionbudgets", "policy", name, detail)
    if int(status.get("disruptionsAllowed") or 0) <= 0:
        needed, healthy = status.get("desiredHealthy") or 0, status.get("currentHealthy") or 0
        raise _refusal(
            f"The disruption budget {name} needs {needed} healthy pods and has {healthy} currently"
        )
    status["disruptionsAllowed"] = int(status["disruptionsAllowed"]) - 1
    status["disruptedPods"] = {**noted, objects.name(pod): now}
    moment = objects.parse_time(now)
    assert moment is not None
    status["conditions"] = disruption.with_allowance(status, status, moment)
    return {**budget, "status": status}


def _refusal(message: str, retry_seconds: int = 0) -> errors.StatusError:
    details: dict[str, Any] = {"causes": [{"reason": "DisruptionBudget", "message": message}]}
    if retry_seconds:
        details["retryAfterSeconds"] = retry_seconds
    return errors.StatusError(429, "TooManyRequests", REFUSED, details=details)


async def _tell(registry: Registry, pod: Object) -> None:
    """Have the pod say that it was evicted."""
    target = conditions.new(
        "DisruptionTarget", "True", "EvictionByEvictionAPI", "Eviction API: evicting", registry.clock.now()
    )

    def change(current: Object) -> Object:
        status = objects.status(current)
        told = conditions.refreshed(status.get("conditions") or (), target)
        return {**patching.copied(current), "status": {**status, "conditions": told}}

    await registry.modify(kinds.POD, objects.key(pod), change, subresource="status")
