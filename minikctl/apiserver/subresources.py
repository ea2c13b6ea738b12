"""Parts of objects with verbs of their own: scale, binding, eviction, finalize."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from minikctl import errors
from minikctl.apiserver import applying, patching, scaling, strategy
from minikctl.apiserver.options import DeleteOptions, PatchOptions, PatchType, WriteOptions
from minikctl.apiserver.registry import Registry
from minikctl.model import causes, kinds, objects
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Key, Object


async def update_scale(
    registry: Registry, kind: Kind, namespace: str, name: str, scale: Object, options: WriteOptions
) -> Object:
    """Set the wanted number of replicas; uid and resourceVersion in the Scale must be the workload's."""
    strategy.same_name(scale, name)
    replicas, uid = scaling.replicas(name, scale), objects.uid(scale)

    def change(current: Object) -> Object:
        if uid:
            strategy.same_uid(kind, uid, current)
        new = patching.copied(current)
        scaling.set_replicas(kind, new, replicas)
        return new

    version = objects.resource_version(scale)
    options = replace(options, via="scale")
    changed = await registry.modify(kind, (namespace, name), change, options, version=version)
    return scaling.scale_of(kind, changed)


async def patch_scale(
    registry: Registry, kind: Kind, namespace: str, name: str, body: Any, options: PatchOptions
) -> Object:
    """Patch the Scale of a workload."""

    def change(current: Object) -> Object:
        type: PatchType = "json" if options.type == "json" else "merge"  # it has no lists
        patched = patching.outcome(scaling.SCALE, scaling.scale_of(kind, current), body, type)
        if options.strict:
            patching.refuse_unknown(scaling.SCALE, patched, body)
        new = patching.copied(current)
        scaling.set_replicas(kind, new, scaling.replicas(name, patched))
        return new

    version = patching.wanted_version(body, options.type)
    write = options.writing(via="scale")
    changed = await registry.modify(kind, (namespace, name), change, write, version=version)
    return scaling.scale_of(kind, changed)


async def apply_scale(
    registry: Registry, kind: Kind, key: Key, scale: Object, options: PatchOptions
) -> Object:
    """Apply a Scale: its replicas become the applier's field of the workload."""
    namespace, name = key
    applying.check(scaling.SCALE, key, scale)
    wanted: Object = {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"namespace": namespace, "name": name},
    }
    if "replicas" in objects.spec(scale):
        scaling.set_replicas(kind, wanted, scaling.replicas(name, scale))
    write = registry.write(options.writing(via="scale"))

    def change(current: Object) -> Object:
        return applying.outcome(kind, current, wanted, write, force=options.force)

    version = objects.resource_version(scale)
    writing = options.writing(via="scale", applied=True)
    return scaling.scale_of(kind, await registry.modify(kind, key, change, writing, version=version))


async def bind(
    registry: Registry, namespace: str, name: str, binding: Object, options: WriteOptions
) -> Object:
    """Give a pod its node, once, and what the Binding has of annotations and labels."""
    target = part(binding, "target", "Binding.target of type v1.ObjectReference")
    if objects.name(binding) != name:
        raise errors.bad_request("name in URL does not match name in Binding object")
    node = _node_of(name, target)
    now = objects.timestamp(registry.clock.now())

    def change(current: Object) -> Object:
        _same_pod(current, objects.meta(binding))
        _refuse_unbindable(current)
        new = patching.copied(current)
        new["spec"]["nodeName"] = node
        for field in ("annotations", "labels"):
            if more := objects.meta(binding).get(field):
                new["metadata"][field] = {**(new["metadata"].get(field) or {}), **more}
        scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": now}
        others = [
            each for each in objects.status(new).get("conditions") or () if each.get("type") != "PodScheduled"
        ]
        new["status"] = {**objects.status(new), "conditions": [*others, scheduled]}
        new["status"].pop("nominatedNodeName", None)
        return new

    await registry.modify(kinds.POD, (namespace, name), change, options, subresource="binding")
    return success()


def _node_of(name: str, target: Object) -> str:
    faults, kind, node = [], target.get("kind"), str(target.get("name") or "")
    if kind and kind != "Node":
        faults.append(causes.unsupported("target.kind", kind, ("Node", "<empty>"), in_order=True))
    if not node:
        faults.append(causes.required("target.name"))
    if faults:
        raise errors.invalid("Binding", "", name, faults)
    return node


def _same_pod(pod: Object, wanted: Mapping[str, Any]) -> None:
    """Raise 409 unless the pod is the one that a Binding's metadata means."""
    meta, name = objects.meta(pod), objects.name(pod)
    for field, shown in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        if wanted.get(field) and wanted[field] != meta.get(field):
            cause = (
                f"Precondition failed: {shown} in precondition: {wanted[field]}, "
                f"{shown} in object meta: {meta.get(field)}"
            )
            raise errors.conflict("pods", "", name, cause)


def _refuse_unbindable(pod: Object) -> None:
    name, present = objects.name(pod), objects.spec(pod).get("nodeName")
    if objects.is_deleting(pod):
        cause = f"pod {name} is being deleted, cannot be assigned to a host"
    elif present:
        cause = f'pod {name} is already assigned to node "{present}"'
    elif objects.spec(pod).get("schedulingGates"):
        cause = f"pod {name} has non-empty .spec.schedulingGates"
    else:
        return
    raise errors.conflict("pods/binding", "", name, cause)


async def finalize(registry: Registry, name: str, namespace: Object, options: WriteOptions) -> Object:
    """Replace a Namespace's spec.finalizers; without any, a terminating namespace is gone."""
    finalizers = list(objects.spec(namespace).get("finalizers") or ())

    def change(current: Object) -> Object:
        new = patching.copied(current)
        new["spec"] = {**objects.spec(new), "finalizers": finalizers}
        if not finalizers:
            del new["spec"]["finalizers"]
        return new

    version = objects.resource_version(namespace)
    return await registry.modify(
        kinds.NAMESPACE, ("", name), change, options, subresource="finalize", version=version
    )


def delete_options(body: Object) -> DeleteOptions:
    """Return what a metav1.DeleteOptions object says; 400 if it contradicts itself."""
    conditions = part(body, "preconditions", "DeleteOptions.preconditions of type v1.Preconditions")
    policy, orphan = body.get("propagationPolicy"), body.get("orphanDependents")
    if policy is not None and orphan is not None:
        detail = "orphanDependents and deletionPropagation cannot be both set"
        cause = causes.invalid("propagationPolicy", policy, detail)
        raise errors.invalid("DeleteOptions", "meta.k8s.io", "", [cause])
    if policy not in (None, "Background", "Foreground", "Orphan"):
        known = ("Foreground", "Background", "Orphan", "nil")
        cause = causes.unsupported("propagationPolicy", policy, known, in_order=True)
        raise errors.invalid("DeleteOptions", "meta.k8s.io", "", [cause])
    grace = body.get("gracePeriodSeconds")
    if grace is not None and (not isinstance(grace, int) or isinstance(grace, bool)):
        raise errors.bad_request("gracePeriodSeconds must be a whole number")
    return DeleteOptions(
        grace_seconds=grace,
        uid=str(conditions.get("uid") or ""),
        resource_version=str(conditions.get("resourceVersion") or ""),
        propagation=policy or ("Orphan" if orphan else "Background"),
    )


def dry_run(body: Object) -> list[str]:
    """Return the stages that a metav1.DeleteOptions object leaves out; 400 for what is no list."""
    listed = body.get("dryRun") or []
    if not isinstance(listed, list):
        raise errors.bad_request(
            "json: cannot unmarshal into Go struct field DeleteOptions.dryRun of type []string"
        )
    return [str(each) for each in listed]


def part(body: Object, name: str, wanted: str) -> Object:
    """Return an object's part that must be an object too, {} if it is not there; 400 for anything else."""
    found = body.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        said = {str: "string", bool: "bool", list: "array"}.get(type(found), "number")
        raise errors.bad_request(f"json: cannot unmarshal {said} into Go struct field {wanted}")
    return found


def success(details: Object | None = None, code: int = 0) -> Object:
    """Return a Status that says: done."""
    status: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details:
        status["details"] = details
    if code:
        status["code"] = code
    return status
