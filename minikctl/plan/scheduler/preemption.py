"""Preemption: which pods of lower priority have to go so that one of higher priority can run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from minikctl.model import objects, selectors
from minikctl.model.objects import Object
from minikctl.plan.scheduler.choice import Choice
from minikctl.plan.scheduler.draft import Draft
from minikctl.plan.scheduler.facts import PodFacts
from minikctl.plan.scheduler.summary import Room
from minikctl.plan.scheduler.verdict import Verdict

REASON = "PreemptionByScheduler"
CANDIDATES = 100
"""So many nodes on which preemption would help are compared at most."""
NOBODY = "No preemption victims found for incoming pod"
USELESS = "Preemption is not helpful for scheduling"


@dataclass(frozen=True)
class Candidate:
    """A node, and who has to leave it; ``violations`` of them against a disruption budget."""

    node: str
    victims: tuple[PodFacts, ...]
    violations: int


def ineligible(pod: PodFacts, draft: Draft, verdicts: dict[str, Verdict]) -> str:
    """Return why the pod may not preempt now, "" if it may."""
    if objects.spec(pod.pod).get("preemptionPolicy") == "Never":
        return "not eligible due to preemptionPolicy=Never."
    nominated = str(objects.status(pod.pod).get("nominatedNodeName") or "")
    room = draft.rooms.get(nominated)
    if room is None or (nominated in verdicts and not verdicts[nominated].helped):
        return ""
    if any(_is_leaving(other) for other in room.pods.values() if other.priority < pod.priority):
        return "not eligible due to a terminating pod on the nominated node."
    return ""


def _is_leaving(pod: PodFacts) -> bool:
    told = objects.condition(pod.pod, "DisruptionTarget") or {}
    return objects.is_deleting(pod.pod) and told.get("reason") == REASON


def useless(nodes: int) -> str:
    """Return, in Kubernetes' words, that whoever left these nodes would leave them impossible."""
    return f"0/{nodes} nodes are available: {nodes} {USELESS}."


def find(
    pod: PodFacts, draft: Draft, choice: Choice, verdicts: dict[str, Verdict], budgets: Sequence[Object]
) -> tuple[Candidate | None, str]:
    """Return the best node to preempt on; if there is none, why, in Kubernetes' words."""
    found: list[Candidate] = []
    reasons: Counter[str] = Counter()
    for name, verdict in verdicts.items():
        if not verdict.helped:
            reasons[USELESS] += 1
            continue
        if len(found) >= CANDIDATES:
            break
        candidate, refusal = _on_node(pod, draft.rooms[name], choice, budgets)
        if candidate is None:
            reasons.update(refusal)
        else:
            found.append(candidate)
    if found:
        return min(found, key=_cost), ""
    parts = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    return None, f"0/{len(draft.rooms)} nodes are available: {parts}."


def _cost(candidate: Candidate) -> tuple[object, ...]:
    """Return what preempting there costs: broken budgets, the highest and all priorities, number, age."""
    priorities = [victim.priority for victim in candidate.victims]
    top = max(priorities, default=0)
    eldest = min((_started(victim) for victim in candidate.victims if victim.priority == top), default=_NEVER)
    # Priorities are shifted so that more victims never cost less than fewer.
    total = sum(priority + (1 << 31) for priority in priorities)
    return candidate.violations, top, total, len(priorities), -eldest.timestamp(), candidate.node


_NEVER = datetime(9999, 1, 1, tzinfo=UTC)


def _started(pod: PodFacts) -> datetime:
    return objects.parse_time(objects.status(pod.pod).get("startTime")) or _NEVER


def _importance(pod: PodFacts) -> tuple[int, datetime, str]:
    return -pod.priority, _started(pod), pod.uid


def _on_node(
    pod: PodFacts, room: Room, choice: Choice, budgets: Sequence[Object]
) -> tuple[Candidate | None, tuple[str, ...]]:
    """Return whom the pod would have to drive from the node, or what would still be wrong without them."""
    lower = sorted((each for each in room.pods.values() if each.priority < pod.priority), key=_importance)
    if not lower:
        return None, (NOBODY,)
    trial = room.copy()
    for each in lower:
        trial.remove(each.uid)
    verdict = choice.verdict(trial, without=tuple(lower))
    if verdict is not None:
        return None, verdict.reasons
    violating, others = _split(lower, budgets)
    victims: list[PodFacts] = []
    out = list(lower)
    violations = 0
    for each in (*violating, *others):
        trial.add(each)
        out.remove(each)
        if choice.verdict(trial, without=tuple(out)) is not None:
            trial.remove(each.uid)
            out.append(each)
            victims.append(each)
            violations += any(each is one for one in violating)
    return Candidate(room.name, tuple(sorted(victims, key=_importance)), violations), ()


def _split(pods: Iterable[PodFacts], budgets: Sequence[Object]) -> tuple[list[PodFacts], list[PodFacts]]:
    """Return the pods whose eviction would break a disruption budget, and the others."""
    left = {objects.uid(each): int(objects.status(each).get("disruptionsAllowed") or 0) for each in budgets}
    violating: list[PodFacts] = []
    others: list[PodFacts] = []
    for pod in pods:
        broken = False
        for budget in budgets if pod.labels else ():
            if not _protects(budget, pod):
                continue
            left[objects.uid(budget)] -= 1
            broken = broken or left[objects.uid(budget)] < 0
        (violating if broken else others).append(pod)
    return violating, others


def _protects(budget: Object, pod: PodFacts) -> bool:
    if objects.namespace(budget) != pod.namespace:
        return False
    selector = selectors.of(objects.spec(budget).get("selector"))
    told = objects.status(budget).get("disruptedPods") or {}
    return bool(selector.requirements) and selector.matches(pod.labels) and objects.name(pod.pod) not in told
