"""A pod's log over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

from minikctl import errors
from minikctl.apiserver.http_exchange import Exchange
from minikctl.apiserver.http_paths import Target
from minikctl.apiserver.registry import Registry
from minikctl.apiserver.streams import NodeStreams, check_log, log_request, no_node
from minikctl.model import objects


async def serve(registry: Registry, node: NodeStreams | None, exchange: Exchange, of: Target) -> None:
    """Answer with a pod's log, as it grows if wanted; refuses what has no log in the kubelet's words."""
    if exchange.method not in ("GET", "HEAD"):
        error = errors.StatusError(405, "MethodNotAllowed", "logs can only be read")
        error.allowed = ("GET",)
        raise error
    pod = registry.get(of.kind, of.namespace, of.name)
    wanted = log_request(pod, exchange.query, registry.clock.now())
    if not objects.spec(pod).get("nodeName"):
        await exchange.answer(b"", "text/plain")
        return
    check_log(pod, wanted.container, wanted.previous)
    if node is None:
        raise no_node()
    lines = _limited(node.logs(pod, wanted.container, wanted.previous, wanted.options), wanted.limit)
    sender = asyncio.create_task(_send_log(exchange, lines))
    leaver = asyncio.create_task(exchange.gone())
    try:
        await asyncio.wait((sender, leaver), return_when=asyncio.FIRST_COMPLETED)
        if sender.done():
            sender.result()
    finally:
        sender.cancel()
        leaver.cancel()
        await asyncio.gather(sender, leaver, return_exceptions=True)


async def _send_log(exchange: Exchange, chunks: AsyncIterator[bytes]) -> None:
    """Send what there is as it comes; the head waits for the first bytes, so that a failure can be told."""
    try:
        async for chunk in chunks:
            if not exchange.started:
                await exchange.begin(200, "text/plain")
            await exchange.chunk(chunk)
    except errors.DriverError as error:
        if not exchange.started:
            raise _unreadable(error) from error
        await exchange.chunk(f"\n{error}\n".encode())
    if not exchange.started:
        await exchange.begin(200, "text/plain")
    await exchange.end()


def _unreadable(error: errors.DriverError) -> errors.StatusError:
    if isinstance(error, errors.NoSuchContainer):
        return errors.bad_request(f"unable to retrieve container logs: {error}")
    return errors.StatusError(500, "InternalError", f"Internal error occurred: {error}")


async def _limited(chunks: AsyncGenerator[bytes, None], limit: int | None) -> AsyncIterator[bytes]:
    left = limit
    async with contextlib.aclosing(chunks):
        async for chunk in chunks:
            if left is None:
                yield chunk
                continue
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0:
                return
