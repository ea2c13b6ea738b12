"""The verbs of the API over HTTP: from a request to the registry and back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

import orjson

from minikctl import errors
from minikctl.apiserver import (
    evictions,
    http_bodies,
    http_forms,
    http_managers,
    http_watch,
    listing,
    metrics,
    patching,
    scaling,
    strategy,
    subresources,
)
from minikctl.apiserver.http_exchange import Exchange
from minikctl.apiserver.http_paths import Target
from minikctl.apiserver.options import DeleteOptions, ListOptions, PatchOptions, WriteOptions
from minikctl.apiserver.registry import Registry
from minikctl.apiserver.versions import show
from minikctl.model import causes, kinds, objects
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object

Handler = Callable[[Registry, Exchange, Target], Awaitable[None]]

RETURNED_WHEN_DELETED = frozenset(
    {
        kinds.NAMESPACE,
        kinds.PERSISTENT_VOLUME,
        kinds.PERSISTENT_VOLUME_CLAIM,
        kinds.POD,
        kinds.POD_TEMPLATE,
        kinds.RESOURCE_QUOTA,
        kinds.SERVICE,
        kinds.SERVICE_ACCOUNT,
        kinds.CSI_DRIVER,
        kinds.CSI_NODE,
        kinds.STORAGE_CLASS,
        kinds.VOLUME_ATTACHMENT,
        kinds.VOLUME_ATTRIBUTES_CLASS,
        kinds.DEVICE_CLASS,
        kinds.RESOURCE_CLAIM,
        kinds.RESOURCE_CLAIM_TEMPLATE,
        kinds.RESOURCE_SLICE,
    }
)
"""Kinds whose DELETE answers with the object; of others it answers with a Status once they are gone."""


def asked(exchange: Exchange, target: Target) -> metrics.Request:
    """Return what a request is counted as."""
    verb = _COUNTED.get((exchange.method, bool(target.name)), exchange.method)
    if is_watch(exchange, target):
        verb = "WATCH"
    elif verb == "PATCH" and http_bodies.media_type(exchange) == http_bodies.APPLY:
        verb = "APPLY"
    scope = "resource" if target.name else "namespace" if target.namespace else "cluster"
    kind, dry = target.kind, exchange.query.get("dryRun", "")
    return metrics.Request(
        verb, kind.group, kind.version, kind.plural, target.subresource, scope, "All" if dry else ""
    )


_COUNTED = {("GET", False): "LIST", ("DELETE", False): "DELETECOLLECTION"}


def is_watch(exchange: Exchange, target: Target) -> bool:
    """Tell whether a request is one for changes: by its path, or as a list that goes on."""
    reads = exchange.method in ("GET", "HEAD")
    return target.watched or (reads and not target.name and exchange.flag("watch"))


METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def handler(exchange: Exchange, target: Target) -> Handler | None:
    """Return what serves the request, None if its method does not fit the path."""
    return _handler(target, "GET" if exchange.method == "HEAD" else exchange.method)


def methods(target: Target) -> list[str]:
    """Return the methods that fit a path; the ``Allow`` header of a refusal names them (RFC 9110, 15.5.6)."""
    return [method for method in METHODS if _handler(target, method) is not None]


def _handler(target: Target, method: str) -> Handler | None:
    if target.watched:
        return _list if method == "GET" else None
    if target.subresource:
        return _SUBRESOURCES.get((target.subresource, method))
    verbs = _OBJECT_VERBS if target.name else _COLLECTION_VERBS
    if verbs.get(method) not in target.kind.verbs:
        return None
    return _OBJECT.get(method) if target.name else _collection(target, method)


def warnings(exchange: Exchange, target: Target) -> Iterator[str]:
    """Yield what is told with each answer about a kind: that it goes away, or that nothing acts on it."""
    kind = target.kind
    if kind.deprecation:
        yield kind.deprecation
    applied = exchange.method == "PATCH" and http_bodies.media_type(exchange) == http_bodies.APPLY
    if kind.stored_only and not target.subresource and (applied or exchange.method == "POST"):
        yield f"minikctl stores {kind.resource} but nothing acts on it yet"


def _collection(target: Target, method: str) -> Handler | None:
    if target.kind is kinds.BINDING:
        return _bind_by_name
    if method != "GET" and target.kind.namespaced and not target.namespace:
        return None  # what all namespaces have can be read at once, and no more
    return _COLLECTION.get(method)


# --- reading --------------------------------------------------------------------------------------------


async def _get(registry: Registry, exchange: Exchange, target: Target) -> None:
    form = _form(exchange)
    listing.not_older(exchange.query.get("resourceVersion", ""), registry.feed.revision)
    entry = registry.entry(target.kind, target.namespace, target.name)
    await registry.ready(target.kind, [entry])
    data = http_forms.encode_entry(form, target.kind, entry, registry.clock.now())
    await exchange.answer(_pretty(exchange, data), form.media)


async def _list(registry: Registry, exchange: Exchange, target: Target) -> None:
    if is_watch(exchange, target):
        await http_watch.serve_watch(registry, exchange, target, _form(exchange))
        return
    if "sendInitialEvents" in exchange.query:
        listing.refuse([causes.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")])
    await registry.selectable(target.kind, target.namespace, exchange.query.get("fieldSelector", ""))
    await _answer_list(
        registry, exchange, target, registry.list(target.kind, target.namespace, _list_options(exchange))
    )


async def _answer_list(registry: Registry, exchange: Exchange, target: Target, page: listing.Page) -> None:
    form = _form(exchange)
    await registry.ready(target.kind, page.entries)
    data = http_forms.encode_list(form, target.kind, page, registry.clock.now())
    await exchange.answer(_pretty(exchange, data), form.media)


def _form(exchange: Exchange) -> http_forms.Form:
    return http_forms.choose(exchange.headers.get("accept", ""), exchange.query.get("includeObject", ""))


def _pretty(exchange: Exchange, data: bytes) -> bytes:
    if exchange.query.get("pretty") in ("1", "true"):
        return orjson.dumps(orjson.loads(data), option=orjson.OPT_INDENT_2) + b"\n"
    return data


def _list_options(exchange: Exchange) -> ListOptions:
    query = exchange.query
    exchange.number("timeoutSeconds")  # a list has no time of its own, but what is no number is refused
    return ListOptions(
        labels=query.get("labelSelector", ""),
        fields=query.get("fieldSelector", ""),
        limit=max(0, exchange.number("limit") or 0),
        continuation=query.get("continue", ""),
        resource_version=query.get("resourceVersion", ""),
        version_match=query.get("resourceVersionMatch", ""),
    )


# --- writing --------------------------------------------------------------------------------------------


_OPTIONS = {"PUT": "UpdateOptions", "PATCH": "PatchOptions", "DELETE": "DeleteOptions"}
"""What the options of a request are called when they are refused; those of all others are CreateOptions."""


def _dry_run(exchange: Exchange, more: Iterable[str] = ()) -> bool:
    values = [*exchange.queries.get("dryRun", []), *more]
    unknown = [causes.unsupported("dryRun", value, ("All",)) for value in values if value != "All"]
    if unknown:
        raise errors.invalid(_OPTIONS.get(exchange.method, "CreateOptions"), "meta.k8s.io", "", unknown[:1])
    return bool(values)


def _write_options(exchange: Exchange, dry_run: Iterable[str] = ()) -> WriteOptions:
    return WriteOptions(
        dry_run=_dry_run(exchange, dry_run),
        manager=http_managers.manager(exchange),
        caller=exchange.caller,
    )


async def _answer(registry: Registry, exchange: Exchange, kind: Kind, obj: Object, status: int = 200) -> None:
    form = _form(exchange)
    entry = registry.entry_of(kind, obj)
    if entry is not None:
        data = http_forms.encode_entry(form, kind, entry, registry.clock.now())
    else:
        data = http_forms.encode_object(form, kind, obj, registry.clock.now())
    await exchange.answer(_pretty(exchange, data), form.media, status)


async def _create(registry: Registry, exchange: Exchange, target: Target) -> None:
    obj = await http_bodies.read_resource(exchange, target.kind)
    made = await registry.create(target.kind, target.namespace, obj, _write_options(exchange))
    await _answer(registry, exchange, target.kind, made, 201)


async def _update(registry: Registry, exchange: Exchange, target: Target) -> None:
    obj = await http_bodies.read_resource(exchange, target.kind)
    options = _write_options(exchange)
    if not target.subresource and strategy.makes_what_is_missing(target.kind, obj):
        key = (target.namespace, target.name)
        if registry.feed.collection(kinds.stored(target.kind)).get(key) is None:
            strategy.same_name(obj, target.name)
            made = await registry.create(target.kind, target.namespace, obj, options)
            await _answer(registry, exchange, target.kind, made, 201)
            return
    made = await registry.update(
        target.kind, target.namespace, target.name, obj, options, subresource=target.subresource
    )
    await _answer(registry, exchange, target.kind, made)


async def _patch(registry: Registry, exchange: Exchange, target: Target) -> None:
    body, options = await _read_patch(exchange, target.subresource)
    if options.type == "apply":
        applied, is_new = await registry.apply(target.kind, target.namespace, target.name, body, options)
        await _answer(registry, exchange, target.kind, applied, 201 if is_new else 200)
        return
    if options.type == "strategic" and target.kind.is_custom:
        raise http_bodies.unsupported(", ".join(http_bodies.patches(target.kind)))
    patched = await registry.patch(target.kind, target.namespace, target.name, body, options)
    exchange.warnings.extend(_unknown_in(target.kind, body, options, exchange))
    await _answer(registry, exchange, target.kind, patched)


async def _read_patch(exchange: Exchange, subresource: str) -> tuple[Any, PatchOptions]:
    media = http_bodies.media_type(exchange)
    if media != http_bodies.APPLY and media not in http_bodies.PATCHES:
        raise http_bodies.unsupported(", ".join((*http_bodies.PATCHES, http_bodies.APPLY)))
    type = http_bodies.PATCHES.get(media, "apply")
    http_managers.check_patch(exchange, type)
    options = PatchOptions(
        type=type,
        subresource=subresource,
        dry_run=_dry_run(exchange),
        strict=http_bodies.field_validation(exchange) == "Strict",
        manager=http_managers.manager(exchange),
        force=exchange.flag("force"),
        caller=exchange.caller,
    )
    if type == "apply":
        return await http_bodies.read_configuration(exchange), options
    return http_bodies.parse(await exchange.body(), "application/json"), options


def _unknown_in(kind: Kind, body: Any, options: PatchOptions, exchange: Exchange) -> list[str]:
    """Return the warnings about fields of a patch that the kind does not have."""
    if options.type == "json" or options.strict or http_bodies.field_validation(exchange) == "Ignore":
        return []
    return patching.unknown_fields(kind, body)


# --- deleting -------------------------------------------------------------------------------------------


async def _delete(registry: Registry, exchange: Exchange, target: Target) -> None:
    options, write = await _delete_options(exchange, target.kind)
    left, gone = await registry.delete(target.kind, target.namespace, target.name, options, write=write)
    if gone and target.kind not in RETURNED_WHEN_DELETED:
        kind = target.kind
        details = {"name": target.name, "group": kind.group, "kind": kind.plural, "uid": objects.uid(left)}
        left = subresources.success({field: value for field, value in details.items() if value})
        await exchange.answer_json(left)
    else:
        await _answer(registry, exchange, target.kind, left)


async def _delete_collection(registry: Registry, exchange: Exchange, target: Target) -> None:
    options, write = await _delete_options(exchange, target.kind)
    chosen = _list_options(exchange)
    page = await registry.delete_collection(target.kind, target.namespace, chosen, options, write=write)
    await _answer_list(registry, exchange, target, page)


_ORPHANING = frozenset((("", "ReplicationController"), ("batch", "Job")))
"""Kinds whose dependents stay, for the sake of old clients, when a request says nothing about them."""


async def _delete_options(exchange: Exchange, kind: Kind) -> tuple[DeleteOptions, WriteOptions]:
    body = await http_bodies.read_optional(exchange)
    query = exchange.query
    if query.get("propagationPolicy"):
        body.setdefault("propagationPolicy", query["propagationPolicy"])
    if "orphanDependents" in query:
        body.setdefault("orphanDependents", exchange.flag("orphanDependents"))
    if (kind.group, kind.kind) in _ORPHANING and body.keys().isdisjoint(
        ("propagationPolicy", "orphanDependents")
    ):
        body["propagationPolicy"] = "Orphan"
        if kind.kind == "Job":
            exchange.warnings.append(
                "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background "
                "to remove them or set propagationPolicy=Orphan to suppress this warning"
            )
    grace = exchange.number("gracePeriodSeconds")
    if grace is not None:
        body.setdefault("gracePeriodSeconds", grace)
    dry_run = _dry_run(exchange, subresources.dry_run(body))
    return subresources.delete_options(body), WriteOptions(dry_run, caller=exchange.caller)


# --- parts of objects -----------------------------------------------------------------------------------


async def _get_scale(registry: Registry, exchange: Exchange, target: Target) -> None:
    entry = registry.entry(target.kind, target.namespace, target.name)
    obj = await show(target.kind, entry.object)
    await _answer_scale(registry, exchange, scaling.scale_of(target.kind, obj))


async def _answer_scale(registry: Registry, exchange: Exchange, scale: Object) -> None:
    form = _form(exchange)
    data = http_forms.encode_object(form, scaling.SCALE, scale, registry.clock.now())
    await exchange.answer(_pretty(exchange, data), form.media)


async def _update_scale(registry: Registry, exchange: Exchange, target: Target) -> None:
    scale = await http_bodies.read_resource(exchange, scaling.SCALE)
    made = await subresources.update_scale(
        registry, target.kind, target.namespace, target.name, scale, _write_options(exchange)
    )
    await _answer_scale(registry, exchange, made)


async def _patch_scale(registry: Registry, exchange: Exchange, target: Target) -> None:
    body, options = await _read_patch(exchange, "")
    if options.type == "apply":
        made = await subresources.apply_scale(
            registry, target.kind, (target.namespace, target.name), body, options
        )
        await _answer_scale(registry, exchange, made)
        return
    made = await subresources.patch_scale(registry, target.kind, target.namespace, target.name, body, options)
    exchange.warnings.extend(_unknown_in(scaling.SCALE, body, options, exchange))
    await _answer_scale(registry, exchange, made)


async def _bind(registry: Registry, exchange: Exchange, target: Target) -> None:
    body = await http_bodies.read(exchange)
    options = _write_options(exchange)
    await exchange.answer_json(
        await subresources.bind(registry, target.namespace, target.name, body, options), 201
    )


async def _bind_by_name(registry: Registry, exchange: Exchange, target: Target) -> None:
    body = await http_bodies.read(exchange)
    options = _write_options(exchange)
    made = await subresources.bind(registry, target.namespace, objects.name(body), body, options)
    await exchange.answer_json(made, 201)


async def _evict(registry: Registry, exchange: Exchange, target: Target) -> None:
    body = await http_bodies.read(exchange)
    # A drain that is a dry run says so in what is to be deleted, not in the request.
    options = _write_options(exchange, subresources.dry_run(evictions.deletion(body)))
    await exchange.answer_json(
        await evictions.evict(registry, target.namespace, target.name, body, options), 201
    )


async def _finalize(registry: Registry, exchange: Exchange, target: Target) -> None:
    body = await http_bodies.read_resource(exchange, target.kind)
    made = await subresources.finalize(registry, target.name, body, _write_options(exchange))
    await exchange.answer_json(made)


_COLLECTION_VERBS = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
_OBJECT_VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_COLLECTION: dict[str, Handler] = {"GET": _list, "POST": _create, "DELETE": _delete_collection}
_OBJECT: dict[str, Handler] = {"GET": _get, "PUT": _update, "PATCH": _patch, "DELETE": _delete}
_SUBRESOURCES: dict[tuple[str, str], Handler] = {
    ("status", "GET"): _get,
    ("status", "PUT"): _update,
    ("status", "PATCH"): _patch,
    ("ephemeralcontainers", "GET"): _get,
    ("ephemeralcontainers", "PUT"): _update,
    ("ephemeralcontainers", "PATCH"): _patch,
    ("resize", "GET"): _get,
    ("resize", "PUT"): _update,
    ("resize", "PATCH"): _patch,
    ("approval", "GET"): _get,
    ("approval", "PUT"): _update,
    ("approval", "PATCH"): _patch,
    ("scale", "GET"): _get_scale,
    ("scale", "PUT"): _update_scale,
    ("scale", "PATCH"): _patch_scale,
    ("binding", "POST"): _bind,
    ("eviction", "POST"): _evict,
    ("finalize", "PUT"): _finalize,
}
