"""Watches over HTTP: one line of JSON per event, in one answer that goes on."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import orjson

from minikctl import errors
from minikctl.apiserver import http_exchange, http_forms, watching
from minikctl.apiserver.http_exchange import Exchange, Receive, Scope, Send
from minikctl.apiserver.http_paths import Target
from minikctl.apiserver.options import WatchOptions
from minikctl.apiserver.registry import Registry
from minikctl.model.kinds.base import Kind

Batches = AsyncGenerator[list[watching.Step], None]
Emit = Callable[[list[bytes]], Awaitable[None]]

LONGEST_SECONDS = (1800, 3600)
"""A watch without a timeout of its own ends somewhere in between, so that not all end together."""

PART_BYTES = 64 * 1024
"""So many bytes of events are sent at a time."""

MOST_SECONDS = 10_000_000
"""What is asked for beyond that is no time any more that a loop could wait."""


async def serve_watch(registry: Registry, exchange: Exchange, target: Target, form: http_forms.Form) -> None:
    """Answer with events until the time is up or the client has gone."""
    batches = await _begun(registry, exchange, target)
    await exchange.begin(200, form.media)
    # The head alone tells the client that the watch stands, however long nothing happens.
    await exchange.chunk(b"")

    async def emit(lines: list[bytes]) -> None:
        await exchange.chunk(b"".join(lines))

    sending = _send(emit, batches, _Encoder(registry, target.kind, form))
    if await http_exchange.until_gone(sending, exchange.gone()):
        await exchange.end()


async def serve_websocket(
    registry: Registry, connection: tuple[Scope, Receive, Send], exchange: Exchange, target: Target
) -> None:
    """Send each event as a text message until the time is up or the client has gone.

    There is no protocol of its own for that: as in Kubernetes (apiserver's WatchServer.HandleWS), the one
    that a client names is taken, and several are refused.
    """
    scope, receive, send = connection
    offered = scope.get("subprotocols") or [None]
    if len(offered) > 1:
        raise errors.bad_request("bad WebSocket protocol: a watch takes one at most")
    form = http_forms.choose(exchange.headers.get("accept", ""), exchange.query.get("includeObject", ""))
    batches = await _begun(registry, exchange, target)
    await receive()  # websocket.connect
    await send({"type": "websocket.accept", "subprotocol": offered[0]})

    async def emit(lines: list[bytes]) -> None:
        for line in lines:
            await send({"type": "websocket.send", "text": line.decode()})

    sending = _send(emit, batches, _Encoder(registry, target.kind, form))
    if await http_exchange.until_gone(sending, http_exchange.socket_left(receive)):
        await send({"type": "websocket.close", "code": 1000})


async def _begun(registry: Registry, exchange: Exchange, target: Target) -> Batches:
    """Return the events; raises what is refused, but for what the client learns from an event only."""
    options = _options(exchange, target.name)
    await registry.selectable(target.kind, target.namespace, options.fields)
    try:
        return registry.watch(target.kind, target.namespace, options)
    except errors.StatusError as error:
        if error.code != 410:
            raise
        return _refused(error)


async def _refused(error: errors.StatusError) -> Batches:
    nothing: tuple[list[watching.Step], ...] = ()
    for batch in nothing:
        yield batch
    raise error


async def _send(emit: Emit, batches: Batches, encoder: _Encoder) -> None:
    try:
        async with contextlib.aclosing(batches) as open_batches:
            async for batch in open_batches:
                await encoder.ready(batch)
                await _emit_in_parts(emit, encoder, batch)
    except errors.StatusError as error:
        await emit([_line("ERROR", orjson.dumps(error.status()))])


async def _emit_in_parts(emit: Emit, encoder: _Encoder, batch: list[watching.Step]) -> None:
    """Emit a batch, which may be all that happened while the client did not read, a little at a time.

    In between others have their turn, and it shows when the client has gone.
    """
    lines, size = list[bytes](), 0
    for step in batch:
        lines.append(encoder.line(step))
        size += len(lines[-1])
        if size >= PART_BYTES:
            await emit(lines)
            await asyncio.sleep(0)
            lines, size = [], 0
    if lines:
        await emit(lines)


class _Encoder:
    """Turns steps into lines of one form."""

    def __init__(self, registry: Registry, kind: Kind, form: http_forms.Form) -> None:
        self._registry = registry
        self._kind = kind
        self._form = form
        self._headed = False

    async def ready(self, batch: list[watching.Step]) -> None:
        """Return once these events can be shown in the version that was asked for."""
        await self._registry.ready(self._kind, [step.entry for step in batch if step.entry is not None])

    def line(self, step: watching.Step) -> bytes:
        """Return the line of one event."""
        if step.entry is None:
            return _line(step.type, orjson.dumps(self._bookmark(step)))
        now = self._registry.clock.now()
        if self._form.shape != "table":
            return _line(step.type, http_forms.encode_entry(self._form, self._kind, step.entry, now))
        data = http_forms.encode_entry(self._form, self._kind, step.entry, now)
        if self._headed:
            # The columns are told once.
            table = orjson.loads(data)
            table["columnDefinitions"] = None
            data = orjson.dumps(table)
        self._headed = True
        return _line(step.type, data)

    def _bookmark(self, step: watching.Step) -> dict[str, Any]:
        meta: dict[str, Any] = {"resourceVersion": str(step.revision), "creationTimestamp": None}
        if step.initial_end:
            meta["annotations"] = {watching.INITIAL_END: "true"}
        kind = self._kind
        match self._form.shape:
            case "table":
                row = {"cells": [], "object": {**_PARTIAL, "metadata": meta}}
                table = {"kind": "Table", "apiVersion": http_forms.META_VERSION}
                return {**table, "metadata": meta, "columnDefinitions": None, "rows": [row]}
            case "partial":
                return {**_PARTIAL, "metadata": meta}
            case _:
                return {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta}


_PARTIAL = {"kind": "PartialObjectMetadata", "apiVersion": http_forms.META_VERSION}


def _line(type: str, data: bytes) -> bytes:
    return b'{"type":"%b","object":%b}\n' % (type.encode(), data)


def _options(exchange: Exchange, name: str) -> WatchOptions:
    query = exchange.query
    fields = query.get("fieldSelector", "")
    if name:
        fields = _one(name, fields)
    timeout = exchange.number("timeoutSeconds")
    if timeout is not None:
        timeout = min(timeout, MOST_SECONDS)
    return WatchOptions(
        labels=query.get("labelSelector", ""),
        fields=fields,
        resource_version=query.get("resourceVersion", ""),
        version_match=query.get("resourceVersionMatch", ""),
        bookmarks=exchange.flag("allowWatchBookmarks"),
        initial_events=exchange.flag("sendInitialEvents") if "sendInitialEvents" in query else None,
        timeout_seconds=timeout or random.uniform(*LONGEST_SECONDS),
    )


def _one(name: str, fields: str) -> str:
    """Return the selector of the object that the path names; another field selector has to agree with it."""
    wanted = f"metadata.name={name}"
    if fields and wanted not in fields.replace("==", "=").split(","):
        raise errors.bad_request("fieldSelector metadata.name doesn't match requested name")
    return fields or wanted
