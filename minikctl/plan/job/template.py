"""A Job's pods as they are created."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from minikctl.model import kinds, objects
from minikctl.model.actions.api import ApiAction, Create, RecordEvent
from minikctl.model.objects import Object
from minikctl.plan import children
from minikctl.plan.job import indexes, policies
from minikctl.plan.job.tally import FAILURES, FINALIZER, IGNORED, View, number

COMPONENT = "job-controller"
VARIABLE = "JOB_COMPLETION_INDEX"


def creations(view: View, count: int) -> Iterator[ApiAction]:
    """Yield so many pods of a Job without indexes."""
    found = children.child_names(children.prefix_of(view.object), _seed(view), view.taken)
    for name in itertools.islice(found, count):
        yield from _created(view.object, name, children.prefix_of(view.object), {})


def creation(view: View, index: int, before: Object | None, *, per_index: bool) -> Iterator[ApiAction]:
    """Yield the pod of one index; ``before`` is the failed one that it replaces."""
    prefix = f"{objects.name(view.object)}-{index}-"
    notes = {indexes.INDEX: str(index)}
    if per_index:
        notes |= _failures(view.object, before)
    name = next(children.child_names(prefix, _seed(view), view.taken))
    yield from _created(view.object, name, prefix, notes)


def _seed(view: View) -> list[str]:
    """Return what changes whenever a pod is to be another one than before."""
    job = view.object
    return [objects.uid(job), objects.resource_version(job), *sorted(map(objects.uid, view.pods))]


def _failures(job: Object, before: Object | None) -> dict[str, str]:
    counts = {FAILURES: 0, IGNORED: 0}
    if before is not None:
        counts = {name: number(before, name) for name in counts}
        counts[FAILURES if policies.of_failure(job, before).counts else IGNORED] += 1
    return {name: str(count) for name, count in counts.items() if count or name == FAILURES}


def _created(job: Object, name: str, prefix: str, notes: Mapping[str, str]) -> Iterator[ApiAction]:
    yield Create(kinds.POD, _pod(job, name, prefix, notes))
    yield RecordEvent(job, "Normal", "SuccessfulCreate", f"Created pod: {name}", COMPONENT)


def _pod(job: Object, name: str, prefix: str, notes: Mapping[str, str]) -> Object:
    template = objects.spec(job).get("template") or {}
    wanted = template.get("metadata") or {}
    labels = dict(wanted.get("labels") or {})
    spec = dict(template.get("spec") or {})
    index = notes.get(indexes.INDEX)
    if index is not None:
        labels[indexes.INDEX] = index
        spec = _told_its_index(spec)
        spec["hostname"] = f"{objects.name(job)}-{index}"
    metadata: dict[str, Any] = {
        "name": name,
        "generateName": prefix,
        "namespace": objects.namespace(job),
        "labels": labels,
        "finalizers": list(dict.fromkeys([*(wanted.get("finalizers") or ()), FINALIZER])),
        "ownerReferences": [objects.owner_reference(job)],
    }
    annotations = {**(wanted.get("annotations") or {}), **notes}
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _told_its_index(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the spec with the variable in each container that does not set it itself."""
    source = {"fieldRef": {"fieldPath": f"metadata.labels['{indexes.INDEX}']"}}
    found = dict(spec)
    for kind in ("initContainers", "containers"):
        if kind in spec:
            found[kind] = [_with_variable(each, source) for each in spec[kind]]
    return found


def _with_variable(container: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
    present = container.get("env") or []
    if any(each.get("name") == VARIABLE for each in present):
        return container
    return {**container, "env": [*present, {"name": VARIABLE, "valueFrom": source}]}
