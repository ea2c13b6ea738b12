"""What a Job's policies say about failed pods and about success."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan.job import indexes


@dataclass(frozen=True)
class Outcome:
    """How a failed pod is treated: ``action`` of the rule, "" without one; ``message`` if the Job fails."""

    action: str = ""
    message: str = ""

    @property
    def counts(self) -> bool:
        """Tell whether the failure counts towards the limits."""
        return self.action != "Ignore"


def of_failure(job: Object, pod: Object) -> Outcome:
    """Return what the first matching rule of podFailurePolicy says about the failed pod."""
    for number, rule in enumerate((objects.spec(job).get("podFailurePolicy") or {}).get("rules") or ()):
        action = str(rule.get("action"))
        where = f"matching {action} rule at index {number}"
        if rule.get("onExitCodes"):
            status = _exited(pod, rule["onExitCodes"])
            if status is not None:
                code = status["state"]["terminated"]["exitCode"]
                subject = f"Container {status.get('name')} for pod {'/'.join(objects.key(pod))}"
                return Outcome(action, f"{subject} failed with exit code {code} {where}")
        else:
            condition = _in_condition(pod, rule.get("onPodConditions") or ())
            if condition:
                return Outcome(action, f"Pod {'/'.join(objects.key(pod))} has condition {condition} {where}")
    return Outcome()


def _exited(pod: Object, wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the first container that ended with a code that the rule is about."""
    status = objects.status(pod)
    for each in (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())):
        ended = (each.get("state") or {}).get("terminated")
        if not ended or wanted.get("containerName") not in (None, each.get("name")):
            continue
        code = int(ended.get("exitCode") or 0)
        if code and (code in (wanted.get("values") or ())) == (wanted.get("operator") == "In"):
            return dict(each)
    return None


def _in_condition(pod: Object, patterns: Iterable[Mapping[str, Any]]) -> str:
    known = [(each.get("type"), each.get("status") or "True") for each in patterns]
    for condition in objects.status(pod).get("conditions") or ():
        if (condition.get("type"), condition.get("status")) in known:
            return str(condition["type"])
    return ""


def met_success(job: Object, succeeded: set[int]) -> str:
    """Return which rule of successPolicy the succeeded indexes meet, in Kubernetes' words, or ""."""
    if not succeeded:
        return ""
    completions = int(objects.spec(job).get("completions") or 0)
    for number, rule in enumerate((objects.spec(job).get("successPolicy") or {}).get("rules") or ()):
        wanted, count = rule.get("succeededIndexes"), rule.get("succeededCount")
        counted = succeeded
        if wanted is not None:
            named = indexes.parse(str(wanted), completions)
            counted = succeeded & named
            if named and counted == named:
                return f"Matched rules at index {number}"
        if count is not None and len(counted) >= int(count):
            return f"Matched rules at index {number}"
    return ""
