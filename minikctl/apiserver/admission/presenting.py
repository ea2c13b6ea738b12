"""A request as webhooks and policies see it: in the version, and with the object, that they ask about."""

from __future__ import annotations

from collections.abc import Mapping

from minikctl.apiserver import scaling
from minikctl.apiserver.admission.chain import Request
from minikctl.apiserver.patching import copied
from minikctl.model import admission, decoding, kinds, objects, schema
from minikctl.model.admitting import rules
from minikctl.model.admitting.review import Form, Question
from minikctl.model.admitting.rules import Resource
from minikctl.model.kind import Kind
from minikctl.model.kindtable import KindTable
from minikctl.model.objects import Object

_META = "meta.k8s.io/v1"
_OPTIONS = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}
_BINDING = Kind("", "v1", "Binding", "bindings")
_NOT_YET = ("uid", "creationTimestamp", "generation")
"""What a new object gets after those who may change it were asked."""


def operation(request: Request) -> str:
    """Return the operation: a pod is bound by creating a Binding."""
    return "CREATE" if request.subresource == "binding" else request.operation


def namespace(request: Request) -> str:
    """Return the namespace: a Namespace is in the one of its own name."""
    return request.name if request.requested is kinds.NAMESPACE else request.namespace


def equivalents(table: KindTable, request: Request) -> Mapping[Resource, Kind]:
    """Return every version, and group, in which the request's resource is served, its own first."""
    own, part = request.requested, request.part
    if own.is_custom:
        same = [kind for kind in table.custom if (kind.group, kind.plural) == (own.group, own.plural)]
    else:
        kept = kinds.stored(own)
        same = [k for k in table.all if not k.is_custom and k.kind == own.kind and kinds.stored(k) is kept]
    return {Resource(kind.group, kind.version, kind.plural, part): kind for kind in (own, *same)}


def asked(request: Request) -> rules.Asked:
    """Return what rules look at."""
    own = request.requested
    resource = Resource(own.group, own.version, own.plural, request.part)
    return rules.Asked(operation(request), resource, namespace(request), request.name)


def shown_kind(request: Request, kind: Kind) -> Kind:
    """Return the kind of the object that is shown to who asked for the resource as that kind."""
    if request.shown is not None:
        return request.shown
    return {"scale": scaling.SCALE, "binding": _BINDING}.get(request.part, kind)


async def question(request: Request, resource: Resource, kind: Kind, *, is_new: bool = False) -> Question:
    """Return the request in the version of that resource and kind; ``is_new``: before it is completed."""
    own = request.requested
    wanted = Resource(own.group, own.version, own.plural, request.part)
    obj = await _presented(request, kind, request.object)
    if is_new and request.operation == "CREATE" and obj is not None and request.shown is None:
        obj = _unborn(obj)
    old = None if operation(request) == "CREATE" else await _presented(request, kind, request.old)
    return Question(
        operation(request),
        Form(wanted, _gvk(shown_kind(request, own))),
        Form(resource, _gvk(shown_kind(request, kind))),
        namespace(request),
        "" if is_new and obj is not None and not _has_name(request, obj) else request.name,
        request.user.info(),
        obj,
        old,
        options(request),
        request.dry_run,
    )


def _has_name(request: Request, obj: Object) -> bool:
    return request.operation != "CREATE" or bool(objects.name(obj)) or request.shown is not None


def _gvk(kind: Kind) -> tuple[str, str, str]:
    return kind.group, kind.version, kind.kind


def _unborn(obj: Object) -> Object:
    meta = {name: value for name, value in obj["metadata"].items() if name not in _NOT_YET}
    if meta.get("generateName"):
        meta.pop("name", None)
    return {**obj, "metadata": meta}


def options(request: Request) -> Object | None:
    """Return the options of the request as an object."""
    if request.operation == "CONNECT":
        return None
    write, deletion = request.options, request.deletion
    found: Object = {"kind": _OPTIONS[operation(request)], "apiVersion": _META}
    if write.patch and request.operation == "UPDATE":
        found["kind"] = "PatchOptions"
    if write.force:
        found["force"] = True
    if request.dry_run:
        found["dryRun"] = ["All"]
    if deletion is None:
        return {**found, "fieldManager": write.manager} if write.manager else found
    if deletion.grace_seconds is not None:
        found["gracePeriodSeconds"] = deletion.grace_seconds
    conditions = {"uid": deletion.uid, "resourceVersion": deletion.resource_version}
    if any(conditions.values()):
        found["preconditions"] = {name: value for name, value in conditions.items() if value}
    return {**found, "propagationPolicy": deletion.propagation}


async def _presented(request: Request, kind: Kind, obj: Object | None) -> Object | None:
    if obj is None or request.shown is not None:
        return obj
    if request.subresource == "binding":
        target = {"kind": "Node", "name": objects.spec(obj).get("nodeName")}
        meta = {"name": request.name, "namespace": request.namespace}
        return {"kind": "Binding", "apiVersion": "v1", "metadata": meta, "target": target}
    if request.part == "scale":
        return scaling.scale_of(request.requested, in_version(request.requested, obj))
    return await converted(kind, obj)


def in_version(kind: Kind, obj: Object) -> Object:
    """Return a stored object of a built-in kind in that version; those of custom kinds are in theirs."""
    return obj if kind.is_custom or not kind.storage else kind.from_storage(obj)


async def converted(kind: Kind, obj: Object) -> Object:
    """Return an object, in whatever version it is, as one of that kind."""
    if not kind.is_custom:
        return in_version(kind, obj)
    if kind.versions is None or obj.get("apiVersion") == kind.api_version:
        return obj
    await kind.versions.prepare(kind, [obj])
    return kind.versions.read(kind, obj)


class Unacceptable(Exception):
    """What was made of an object cannot be decoded as its kind."""


async def accept(request: Request, kind: Kind, shown: Object, changed: Object) -> bool:
    """Take what somebody made of the object that was shown; return whether it is different now.

    What the kind does not know is dropped, what it has defaults for completed; raises ``Unacceptable``.
    """
    if shown_kind(request, kind) is kind:
        if fault := decoding.decode_errors(kind, changed):
            raise Unacceptable(fault)
        schema.drop_unknown(kind, changed)
    if changed == shown:
        return False
    await take(request, kind, changed)
    if not request.part:
        admission.complete(request.kind, request.new)
    return True


async def take(request: Request, kind: Kind, shown: Object) -> None:
    """Give the request the object that somebody made of the one that was shown; in place."""
    obj = request.new
    if request.shown is not None:
        _replace(obj, shown)
    elif request.part == "scale":
        own = request.requested
        changed = copied(in_version(own, obj))
        scaling.set_replicas(own, changed, scaling.replicas(request.name, shown))
        _replace(obj, changed if own.is_custom or not own.storage else own.to_storage(changed))
    elif request.subresource == "binding":
        obj["spec"]["nodeName"] = (shown.get("target") or {}).get("name")
    else:
        back = await converted(request.kind, shown) if kind.is_custom else kind.to_storage(shown)
        _keep_identity(request, back, obj)
        _replace(obj, back)


def _keep_identity(request: Request, new: Object, before: Object) -> None:
    """Give an object again what was not shown, and what nobody may change."""
    new["apiVersion"], new["kind"] = before["apiVersion"], before["kind"]
    meta, known = new.setdefault("metadata", {}), before["metadata"]
    for field in (*_NOT_YET, "resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds"):
        if field in known:
            meta[field] = known[field]
        else:
            meta.pop(field, None)
    meta.pop("managedFields", None)
    if not meta.get("name"):
        meta["name"] = known.get("name", "")
    if request.kind.namespaced:
        meta["namespace"] = known.get("namespace", "")


def _replace(obj: Object, new: Object) -> None:
    found = dict(new)
    obj.clear()
    obj.update(found)
