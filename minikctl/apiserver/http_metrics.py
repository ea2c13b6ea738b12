"""The metrics API: what nodes and pods use now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from minikctl import errors
from minikctl.apiserver import cache, http_forms, listing
from minikctl.apiserver.http_exchange import Exchange
from minikctl.apiserver.http_paths import Target
from minikctl.apiserver.registry import Registry
from minikctl.model import kinds, objects
from minikctl.model.kinds import metrics
from minikctl.model.objects import Object
from minikctl.plan import usage

Measured = Mapping[str, Mapping[str, usage.Sample]]


class Meter(Protocol):
    """The node's side: what each container uses, by pod uid and container name.

    Failures are ``errors.DriverError``s.
    """

    async def measure(self) -> Measured:
        """Return what is used now."""
        ...


class LateMeter:
    """A meter for an API that answers before the node is there."""

    target: Meter | None = None

    async def measure(self) -> Measured:
        """Return what the node measures, or refuse until it is there."""
        if self.target is None:
            raise errors.StatusError(503, "ServiceUnavailable", "the node is still starting")
        return await self.target.measure()


def is_metrics(target: Target) -> bool:
    """Tell whether the path names measurements."""
    return target.kind.group == metrics.GROUP


async def serve(registry: Registry, meter: Meter | None, exchange: Exchange, target: Target) -> None:
    """Answer with what is measured."""
    if meter is None:
        raise errors.StatusError(503, "ServiceUnavailable", "nothing is measured here")
    form = http_forms.choose(exchange.headers.get("accept", ""), exchange.query.get("includeObject", ""))
    try:
        measured = await meter.measure()
    except errors.DriverError as error:
        raise errors.StatusError(503, "ServiceUnavailable", str(error)) from error
    now = registry.clock.now()
    if target.name:
        body = http_forms.encode_object(form, target.kind, _one(registry, target, measured), now)
    else:
        query = exchange.query
        chosen = listing.selection(
            target.kind, query.get("labelSelector", ""), query.get("fieldSelector", "")
        )
        found = [
            cache.Entry(objects.key(each), 0, each)
            for each in _all(registry, target, measured)
            if (chosen.match is None or chosen.match(each)) and chosen.name in ("", objects.name(each))
        ]
        body = http_forms.encode_list(form, target.kind, listing.Page(found, registry.feed.revision), now)
    await exchange.answer(body, form.media)


def _one(registry: Registry, target: Target, measured: Measured) -> Object:
    plain = kinds.POD if target.kind is kinds.POD_METRICS else kinds.NODE
    about = registry.get(plain, target.namespace, target.name)
    found = next(iter(_of(registry, target, [about], measured)), None)
    if found is None:
        raise errors.not_found(target.kind.plural, metrics.GROUP, "/".join(filter(None, objects.key(about))))
    return found


def _all(registry: Registry, target: Target, measured: Measured) -> list[Object]:
    plain = kinds.POD if target.kind is kinds.POD_METRICS else kinds.NODE
    entries = registry.feed.collection(plain).entries()
    wanted = [entry.object for entry in entries if target.namespace in ("", objects.namespace(entry.object))]
    return sorted(_of(registry, target, wanted, measured), key=objects.key)


def _of(registry: Registry, target: Target, wanted: Iterable[Object], measured: Measured) -> list[Object]:
    """Return the metrics of these pods or nodes, without those of which nothing is known."""
    if target.kind is kinds.POD_METRICS:
        pods = (usage.of_pod(pod, measured.get(objects.uid(pod), {})) for pod in wanted)
        return [each for each in pods if each is not None]
    on: dict[str, list[Mapping[str, usage.Sample]]] = {}
    for entry in registry.feed.collection(kinds.POD).entries():
        samples = measured.get(objects.uid(entry.object))
        if samples:
            on.setdefault(str(objects.spec(entry.object).get("nodeName") or ""), []).append(samples)
    now = registry.clock.now()
    return [usage.of_node(node, on.get(objects.name(node), ()), now) for node in wanted]
