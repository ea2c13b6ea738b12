"""The three patch types of the API: from the stored object and a patch to the object that is asked for."""

from __future__ import annotations

from typing import Any

import orjson

from minikctl import errors
from minikctl.apiserver import strategy
from minikctl.apiserver.options import PatchOptions, PatchType
from minikctl.model import causes, decoding, kinds, objects, patches, schema
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object

STALE = "the object has been modified; please apply your changes to the latest version and try again"

_SCHEME = "pkg/api/legacyscheme/scheme.go:30"
"""Where kinds are registered in Kubernetes, as its refusals say."""

MOST_OPERATIONS = 10_000

_META_WIDE = frozenset(("managedFields", "$patch", "$retainKeys"))
"""What in a patch's metadata can reach managedFields."""


def copied(obj: Object) -> Object:
    """Return a deep copy that may be changed."""
    copy: Object = orjson.loads(orjson.dumps(obj))
    return copy


def wanted_version(body: Any, type: PatchType) -> str:
    """Return the resourceVersion that a patch insists on; a JSON patch can only test it."""
    if type == "json" or not isinstance(body, dict):
        return ""
    return strategy.expected_version(body) if isinstance(body.get("metadata"), dict) else ""


def apply(kind: Kind, current: Object, body: Any, options: PatchOptions) -> Object:
    """Return a new object: what the patch makes of the current one; refusals are in Kubernetes' words."""
    owners = None if _touches_owners(body) else objects.meta(current).get("managedFields")
    if owners is not None:
        # They are the bigger part of many objects, and no patch but one for them needs them.
        meta = {name: value for name, value in current["metadata"].items() if name != "managedFields"}
        current = {**current, "metadata": meta}
    patched = copied(outcome(kind, current, body, options.type))
    _same_type(kind, patched, options.type)
    _same_name(patched, current)
    _same_version(kind, patched, current)
    if options.strict:
        refuse_unknown(kind, patched, body)
    fault = decoding.decode_errors(kind, patched)
    if fault:
        raise _undecodable(patched, fault.removeprefix(decoding.wrong(kind, "")))
    schema.drop_unknown(kind, patched)
    return patched


def outcome(kind: Kind, current: Object, body: Any, type: PatchType) -> Object:
    """Return what the patch alone makes of an object; 400 and 422 for one that does not make sense."""
    try:
        patched = _apply(kind, current, body, type)
    except patches.PatchError as error:
        raise unprocessable(str(error)) from None
    if not isinstance(patched, dict):
        raise unprocessable("the outcome is not an object")
    return patched


def _touches_owners(body: Any) -> bool:
    if isinstance(body, dict):
        meta = body.get("metadata")
        return isinstance(meta, dict) and not _META_WIDE.isdisjoint(meta)
    # In a JSON patch, a path to the whole metadata or object counts too.
    return isinstance(body, list) and any(
        isinstance(each, dict)
        and any(
            str(each.get(name)) in ("", "/", "/metadata")
            or str(each.get(name)).startswith("/metadata/managedFields")
            for name in ("path", "from")
            if name in each
        )
        for each in body
    )


def _apply(kind: Kind, current: Object, body: Any, type: PatchType) -> Any:
    if type == "json":
        if not isinstance(body, list):
            raise errors.bad_request("the patch must be a list of operations")
        if len(body) > MOST_OPERATIONS:
            text = f"The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {len(body)}"
            raise errors.StatusError(413, "RequestEntityTooLarge", f"Request entity too large: {text}")
        return patches.json_patch(current, body)
    if not isinstance(body, dict):
        raise errors.bad_request("the patch must be an object")
    if type == "merge":
        return patches.merge(current, body)
    return patches.strategic(kind, current, body)


def _same_type(kind: Kind, patched: Object, type: PatchType) -> None:
    """Refuse a patch that makes another kind of the object; a strategic one is not asked for its own."""
    version, name = patched.get("apiVersion") or kind.api_version, patched.get("kind") or kind.kind
    patched["apiVersion"], patched["kind"] = kind.api_version, kind.kind
    if (version, name) == (kind.api_version, kind.kind) or type == "strategic":
        return
    if kind.is_custom:
        wrong = {"apiVersion": (version, kind.api_version), "kind": (name, kind.kind)}
        found = [causes.invalid(at, is_, f"must be {due}") for at, (is_, due) in wrong.items() if is_ != due]
        raise errors.invalid(kind.kind, kind.group, objects.name(patched), found)
    other = kinds.of(patched | {"apiVersion": str(version), "kind": str(name)})
    if other is not None and kinds.stored(other) is kinds.stored(kind):
        return
    if other is None:
        detail = f'no kind "{name}" is registered for version "{version}" in scheme "{_SCHEME}"'
    else:
        package = kind.group.partition(".")[0] or "core"
        detail = f"converting ({other.version}.{name}) to ({package}.{kind.kind}): unknown conversion"
    raise _undecodable({**patched, "apiVersion": version, "kind": name}, detail)


def _undecodable(patched: Object, detail: str) -> errors.StatusError:
    return errors.invalid("", "", "", [causes.invalid("patch", orjson.dumps(patched).decode(), detail)])


def _same_name(patched: Object, current: Object) -> None:
    meta = patched.get("metadata")
    if not isinstance(meta, dict):
        raise unprocessable("metadata cannot be removed")
    before = current["metadata"]
    strategy.same_name(patched, before["name"])
    if meta.get("namespace"):
        strategy.same_namespace(meta["namespace"], before.get("namespace") or meta["namespace"])


def _same_version(kind: Kind, patched: Object, current: Object) -> None:
    """Refuse a patch that, whatever its type, sets another resourceVersion than the one that it met."""
    given = strategy.expected_version(patched)
    if given and given != objects.resource_version(current):
        raise errors.conflict(kind.plural, kind.group, objects.name(current), STALE)


def refuse_unknown(kind: Kind, patched: Object, body: Any) -> None:
    """Refuse a patch whose outcome has fields that the kind does not have."""
    unknown = schema.unknown_fields(kind, patched)
    if unknown:
        listed = ", ".join(f'unknown field "{path}"' for path in unknown)
        text = orjson.dumps(body).decode()
        raise errors.invalid("", "", "", [causes.invalid("patch", text, f"strict decoding error: {listed}")])


def unknown_fields(kind: Kind, body: Any) -> list[str]:
    """Return what to warn of in a merge patch: fields that the kind does not have."""
    if not isinstance(body, dict):
        return []
    found = schema.unknown_fields(kind, body)
    return [f'unknown field "{path}"' for path in found if "$" not in path]


def unprocessable(detail: str) -> errors.StatusError:
    """422: the patch cannot be applied to what is there."""
    refusal = errors.StatusError(
        422, "Invalid", f"the server rejected our request due to an error in our request: {detail}"
    )
    refusal.details["causes"] = [{"message": detail}]
    return refusal
