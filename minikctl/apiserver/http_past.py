"""What objects were like: the store's log at ``/minikctl/v1/past/PATH`` and ``/minikctl/v1/history/PATH``.

Kubernetes has lists as of a revision, but no moments and no single objects.  As paths that are no resources
they are for administrators unless a role says otherwise: they show what was deleted, Secrets too.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson

from minikctl import errors
from minikctl.apiserver import cache, feed, http_forms, http_paths, listing
from minikctl.apiserver.http_exchange import Exchange
from minikctl.apiserver.http_paths import Target
from minikctl.apiserver.registry import Registry
from minikctl.apiserver.versions import serve as served_as
from minikctl.model import kinds, objects
from minikctl.store import store as stores
from minikctl.store.log import Row

ROOT = "minikctl"


async def serve(registry: Registry, exchange: Exchange) -> None:
    """Answer a request below ``/minikctl/``; 404 for what is no resource's path."""
    parts = exchange.path.strip("/").split("/", 3)
    if exchange.method != "GET" or len(parts) < 4 or parts[1] != "v1":
        raise _nothing()
    target = http_paths.parse(f"/{parts[3]}", registry.served.table)
    if target is None or target.subresource:
        raise _nothing()
    if parts[2] == "history" and target.name:
        await _history(registry, exchange, target)
    elif parts[2] == "past":
        await _past(registry, exchange, target)
    else:
        raise _nothing()


def _nothing() -> errors.StatusError:
    return errors.StatusError(404, "NotFound", "the server could not find the requested resource")


async def _past(registry: Registry, exchange: Exchange, target: Target) -> None:
    revision, moment = await _asked(registry.store, exchange)
    stored = kinds.stored(target.kind)
    form = http_forms.choose(exchange.headers.get("accept", ""), exchange.query.get("includeObject", ""))
    if target.name:
        key = feed.key_of(stored, target.namespace, target.name)
        row = await _reading(registry.store.get(key, revision)) if revision else None
        if row is None:
            raise errors.not_found(target.kind.plural, target.kind.group, target.name)
        entry = _entry(row)
        await registry.ready(target.kind, [entry])
        await exchange.answer(http_forms.encode_entry(form, target.kind, entry, moment), form.media)
        return
    prefix = (
        feed.key_of(stored, target.namespace, "") if target.namespace else feed.key_of(stored, "", "")[:-1]
    )
    rows = (await _reading(registry.store.list(prefix, revision=revision))).rows if revision else ()
    found = [_entry(row) for row in rows]
    await registry.ready(target.kind, found)
    query = exchange.query
    chosen = listing.selection(target.kind, query.get("labelSelector", ""), query.get("fieldSelector", ""))
    if chosen.match is not None:
        found = [entry for entry in found if chosen.match(entry.object)]
    data = http_forms.encode_list(form, target.kind, listing.Page(found, revision), moment)
    await exchange.answer(data, form.media)


async def _history(registry: Registry, exchange: Exchange, target: Target) -> None:
    key = feed.key_of(kinds.stored(target.kind), target.namespace, target.name)
    items: list[dict[str, Any]] = []
    for row, at in await _reading(registry.store.history(key)):
        entry = _entry(row)
        await registry.ready(target.kind, [entry])
        item = {
            "revision": row.revision,
            "time": objects.timestamp(_moment(at)) if at else None,
            "deleted": row.deleted,
            "object": served_as(target.kind, entry.object),
        }
        items.append(item)
    answer = {
        "kind": "History",
        "apiVersion": "minikctl.dev/v1",
        "items": items,
        "oldest": registry.store.compacted,
    }
    await exchange.answer(orjson.dumps(answer))


async def _asked(store: stores.Store, exchange: Exchange) -> tuple[int, datetime]:
    """Return which revision is meant, by its number or by a time, and when it was.

    0 is the time before the first write, when there was nothing.
    """
    revision = exchange.number("revision") or 0
    text = exchange.query.get("at", "")
    if text:
        at = objects.parse_time(text)
        if at is None:
            raise errors.bad_request(f'at: Invalid value: "{text}": it is an RFC 3339 time')
        return await _reading(store.revision_at(at.timestamp())), at
    if not revision:
        raise errors.bad_request("at or revision: Required value")
    return revision, _moment(await store.moment_of(revision))


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _entry(row: Row) -> cache.Entry:
    _, _, namespace, name = row.key.split("/", 3)
    return cache.Entry((namespace, name), row.revision, orjson.loads(row.value), row.value)


async def _reading(work: Any) -> Any:
    """Return what the store says; what it does not keep any more is 410, what is not yet is 400."""
    try:
        return await work
    except stores.Compacted as error:
        raise errors.StatusError(410, "Expired", f"history does not go back so far: {error}") from None
    except stores.FutureRevision as error:
        raise errors.bad_request(str(error)) from None
