"""Watches over HTTP: one line of JSON per event, in one answer that goes on."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator
from typing import Any

import orjson

from minikctl import errors
from minikctl.apiserver import http_forms, watching
from minikctl.apiserver.http_exchange import Exchange
from minikctl.apiserver.http_paths import Target
from minikctl.apiserver.options import WatchOptions
from minikctl.apiserver.registry import Registry
from minikctl.model.kinds.base import Kind

LONGEST_SECONDS = (1800, 3600)
"""A watch without a timeout of its own ends somewhere in between, so that not all end together."""

MOST_SECONDS = 10_000_000
"""What is asked for beyond that is no time any more that a loop could wait."""


async def serve_watch(registry: Registry, exchange: Exchange, target: Target, form: http_forms.Form) -> None:
    """Answer with events until the time is up or the client has gone."""
    try:
        await registry.selectable(target.kind, target.namespace, exchange.query.get("fieldSelector", ""))
        batches = registry.watch(target.kind, target.namespace, _options(exchange))
    except errors.StatusError as error:
        if error.code != 410:
            raise
        await exchange.begin(200, form.media)
        await exchange.end(_line("ERROR", orjson.dumps(error.status())))
        return
    await exchange.begin(200, form.media)
    # The head alone tells the client that the watch stands, however long nothing happens.
    await exchange.chunk(b"")
    sender = asyncio.create_task(_send(exchange, batches, _Encoder(registry, target.kind, form)))
    leaver = asyncio.create_task(exchange.gone())
    try:
        await asyncio.wait((sender, leaver), return_when=asyncio.FIRST_COMPLETED)
        if sender.done():
            sender.result()
            await exchange.end()
    finally:
        sender.cancel()
        leaver.cancel()
        await asyncio.gather(sender, leaver, return_exceptions=True)


async def _send(
    exchange: Exchange, batches: AsyncGenerator[list[watching.Step], None], encoder: _Encoder
) -> None:
    try:
        async with contextlib.aclosing(batches) as open_batches:
            async for batch in open_batches:
                await encoder.ready(batch)
                await exchange.chunk(b"".join([encoder.line(step) for step in batch]))
    except errors.StatusError as error:
        await exchange.chunk(_line("ERROR", orjson.dumps(error.status())))


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


def _options(exchange: Exchange) -> WatchOptions:
    query = exchange.query
    timeout = exchange.number("timeoutSeconds")
    if timeout is not None:
        timeout = min(timeout, MOST_SECONDS)
    return WatchOptions(
        labels=query.get("labelSelector", ""),
        fields=query.get("fieldSelector", ""),
        resource_version=query.get("resourceVersion", ""),
        version_match=query.get("resourceVersionMatch", ""),
        bookmarks=exchange.flag("allowWatchBookmarks"),
        initial_events=exchange.flag("sendInitialEvents") if "sendInitialEvents" in query else None,
        timeout_seconds=timeout or random.uniform(*LONGEST_SECONDS),
    )
