"""Revisions: which ReplicaSet has the wanted template, how one is made, and how many old ones are kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minikctl.model import names, objects
from minikctl.model.objects import Object
from minikctl.plan import conditions, templates
from minikctl.plan.deployment import parts
from minikctl.plan.deployment.draft import PROGRESSING, Draft
from minikctl.plan.deployment.parts import Deployment, ReplicaSet

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
HISTORY_CHARACTERS = 2000
NAME_LIMIT = 253
_OWN = frozenset(
    {
        LAST_APPLIED,
        parts.REVISION,
        parts.REVISION_HISTORY,
        parts.DESIRED_REPLICAS,
        parts.MAX_REPLICAS,
        "deprecated.deployment.rollback.to",
    }
)
"""Annotations that a ReplicaSet does not take over from its Deployment."""


def comparable(template: dict[str, Any]) -> Any:
    """Return what has to be equal for two pod templates to make the same pods."""
    metadata = template.get("metadata") or {}
    labels = {key: each for key, each in (metadata.get("labels") or {}).items() if key != parts.HASH_LABEL}
    return templates.canonical({**template, "metadata": {**metadata, "labels": labels}})


def template_hash(deployment: Deployment) -> str:
    """Return the pod-template-hash of the wanted template."""
    return names.template_hash(comparable(deployment.template), deployment.collisions)


def child_name(deployment: Deployment) -> str:
    """Return the name of the ReplicaSet for the wanted template."""
    suffix = template_hash(deployment)
    return f"{deployment.name[: NAME_LIMIT - len(suffix) - 1]}-{suffix}"


def find_new(deployment: Deployment, sets: Iterable[ReplicaSet]) -> ReplicaSet | None:
    """Return the oldest ReplicaSet that makes the wanted pods."""
    wanted = comparable(deployment.template)
    for each in sorted(sets, key=lambda each: each.age_key):
        if comparable(objects.spec(each.object).get("template") or {}) == wanted:
            return each
    return None


def adopt(draft: Draft) -> None:
    """Bring the new ReplicaSet's notes and the Deployment's revision up to date."""
    new = draft.new
    if new is None:
        return
    deployment = draft.deployment
    edited = _annotated(deployment, new, _next_revision(draft))
    if int(objects.spec(edited.object).get("minReadySeconds") or 0) != deployment.min_ready_seconds:
        edited = edited.with_spec(minReadySeconds=deployment.min_ready_seconds)
    draft.replace(edited)
    draft.revision = edited.annotations[parts.REVISION]
    if deployment.deadline is not None and conditions.find(draft.conditions, PROGRESSING) is None:
        draft.progress("True", "FoundNewReplicaSet", f'Found new replica set "{edited.name}"')


def create(draft: Draft, replicas: int) -> None:
    """Add the ReplicaSet of the wanted template, asked for that many pods."""
    deployment = draft.deployment
    made = ReplicaSet.of(_made(deployment, replicas))
    made = draft.bounded(_annotated(deployment, made, _next_revision(draft)))
    draft.new = made
    draft.revision = made.annotations[parts.REVISION]
    if replicas > 0:
        draft.tell(made.name, f"Scaled up replica set {made.name} from 0 to {replicas}")
    if deployment.deadline is not None:
        draft.progress("True", "NewReplicaSetCreated", f'Created new replica set "{made.name}"')


def clean_up(draft: Draft) -> None:
    """Remove the oldest revisions beyond the history limit that no pod uses any more."""
    limit = draft.deployment.history_limit
    if limit is None:
        return
    kept = [each for each in draft.old if not objects.is_deleting(each.object)]
    for each in sorted(kept, key=lambda each: each.revision)[: max(len(kept) - limit, 0)]:
        if each.replicas == 0 and each.counted("replicas") == 0 and each.is_observed:
            draft.delete(each)


def _next_revision(draft: Draft) -> int:
    return max((each.revision for each in draft.old), default=0) + 1


def _annotated(deployment: Deployment, target: ReplicaSet, revision: int) -> ReplicaSet:
    inherited = {
        key: value for key, value in objects.annotations(deployment.object).items() if key not in _OWN
    }
    before = target.annotations.get(parts.REVISION)
    if before is not None and target.revision >= revision:
        return target.annotated(inherited)
    notes = {**inherited, parts.REVISION: str(revision)}
    if before is not None:  # a rollback: the ReplicaSet becomes the newest revision once more
        notes[parts.REVISION_HISTORY] = _history(target.annotations.get(parts.REVISION_HISTORY, ""), before)
    return target.annotated(notes)


def _history(history: str, revision: str) -> str:
    revisions = [each for each in history.split(",") if each] + [revision]
    while len(",".join(revisions)) > HISTORY_CHARACTERS:
        revisions = revisions[1:]
    return ",".join(revisions)


def _made(deployment: Deployment, replicas: int) -> Object:
    spec = objects.spec(deployment.object)
    label = {parts.HASH_LABEL: template_hash(deployment)}
    template = deployment.template
    metadata = template.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), **label}
    selector = spec.get("selector") or {}
    wanted: dict[str, Any] = {
        "replicas": replicas,
        "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **label}},
        "template": {**template, "metadata": {**metadata, "labels": labels}},
    }
    if deployment.min_ready_seconds:
        wanted["minReadySeconds"] = deployment.min_ready_seconds
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": child_name(deployment),
            "namespace": objects.namespace(deployment.object),
            "labels": labels,
            "ownerReferences": [objects.owner_reference(deployment.object)],
        },
        "spec": wanted,
    }
