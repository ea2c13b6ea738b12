"""The chain of admission plugins: all that change a request come first, then all that judge it.

Which plugins a request concerns is looked up once per kind, so that a write pays only for those.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from minikctl import errors
from minikctl.apiserver import feed
from minikctl.apiserver.admission import metrics
from minikctl.apiserver.auth import SELF, User
from minikctl.apiserver.options import WRITE, DeleteOptions, WriteOptions
from minikctl.model import admission as rules
from minikctl.model import kinds
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Key, Object

logger = logging.getLogger(__name__)

Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]


CONNECTED = frozenset(("attach", "exec", "portforward", "proxy"))
"""Subresources that are connections: what they get are options."""


def shape(obj: Object) -> Kind:
    """Return the kind of an object that is sent to a subresource."""
    group, _, version = str(obj.get("apiVersion") or "").rpartition("/")
    return Kind(group, version, str(obj.get("kind") or ""), "")


@dataclass
class Request:
    """One write; ``kind`` is the stored version of ``requested``.

    ``object`` is None for DELETE, ``old`` is None for CREATE.  Only ``object`` may be changed, and only while
    plugins mutate; ``warnings`` reach the caller as Warning headers.  ``shown`` is the kind of ``object``
    where that is not ``requested``: what is sent to a subresource.  ``again`` is set by who changed the
    object so that the others should see it once more; during that second time ``is_second``.
    """

    operation: Operation
    kind: Kind
    requested: Kind
    namespace: str
    name: str
    object: Object | None = None
    old: Object | None = None
    subresource: str = ""
    user: User = SELF
    dry_run: bool = False
    warnings: list[str] = field(default_factory=list)
    options: WriteOptions = WRITE
    deletion: DeleteOptions | None = None
    shown: Kind | None = None
    again: bool = False
    is_second: bool = False
    is_counted: bool = False
    """Whether what it is to store counts as used until it is over: then it is stored to the end."""
    memory: dict[str, Any] = field(default_factory=dict)
    """What plugins keep, under their names, from the first time for the second."""

    @property
    def resource(self) -> str:
        """Return ``pods`` or ``deployments.apps``."""
        return errors.qualified(self.kind.plural, self.kind.group)

    @property
    def part(self) -> str:
        """Return the subresource that the client wrote to; that of ``subresource`` is what changes."""
        return self.subresource or self.options.via

    @property
    def new(self) -> Object:
        """Return the object that is to be stored; not for DELETE."""
        assert self.object is not None
        return self.object

    def refusal(self, cause: str) -> errors.StatusError:
        """Return 403 in Kubernetes' words, for that reason."""
        return errors.forbidden(self.requested.plural, self.requested.group, self.name, cause)


def request(
    operation: Operation, kind: Kind, key: Key, options: WriteOptions, subresource: str = ""
) -> Request:
    """Return a write of that kind as its options describe it."""
    caller = options.caller
    found = Request(operation, kinds.stored(kind), kind, *key, subresource=subresource, options=options)
    found.user, found.warnings, found.dry_run = caller.user, caller.warnings, options.dry_run
    return found


class Plugin:
    """One rule of admission; a subclass overrides ``mutate``, ``validate`` or both.

    It is asked only for its ``operations`` on its ``resources`` (None: all kinds; entries as
    ``Request.resource``), and for its ``subresources`` ("" is the object itself; None: all).
    """

    name: ClassVar[str]
    operations: ClassVar[frozenset[Operation]] = frozenset(("CREATE",))
    resources: ClassVar[frozenset[str] | None] = None
    subresources: ClassVar[frozenset[str] | None] = frozenset(("",))
    changes: ClassVar[bool] = True
    """Whether ``mutate`` reads or changes the object at all."""

    watched: ClassVar[tuple[Kind, ...]] = ()
    """Kinds whose objects say what the plugin does; ``load`` is called when they have changed."""

    def load(self) -> None:
        """Take what the watched objects say now."""

    async def mutate(self, request: Request) -> None:
        """Complete ``request.object`` in place, which is not validated yet; a StatusError refuses it."""

    async def validate(self, request: Request) -> None:
        """Judge the request, whose object is complete and valid; a StatusError refuses it."""

    def finished(self, request: Request) -> None:
        """The request is over, stored or not; called once for each that was validated."""

    def concerns(self, request: Request) -> bool:
        """Tell whether the plugin has to be asked; the answer is kept for all such requests."""
        return (
            request.operation in self.operations
            and (self.resources is None or request.resource in self.resources)
            and (self.subresources is None or request.subresource in self.subresources)
        )


_Key = tuple[Operation, str, str, str, str]


class Chain:
    """Runs plugins in order."""

    def __init__(self, plugins: Sequence[Plugin], measured: metrics.Measured | None = None) -> None:
        self._plugins = tuple(plugins)
        self.measured = measured or metrics.Measured()
        self._mutating: dict[_Key, tuple[Plugin, ...]] = {}
        self._judging: dict[_Key, tuple[Plugin, ...]] = {}

    async def mutate(self, request: Request) -> None:
        """Have the object completed in place; the first refusal is raised.

        What changes it sees it with the kind's defaults.  When a webhook has changed it, all are asked once
        more.
        """
        with self._step("admit", request):
            await self._mutate(request, self._chosen(request)[0])

    async def _mutate(self, request: Request, chosen: tuple[Plugin, ...]) -> None:
        is_complete = request.object is None or bool(request.subresource)
        for plugin in chosen:
            if plugin.changes and not is_complete:
                rules.complete(request.kind, request.new)
                is_complete = True
            await self._measure(plugin, "admit", plugin.mutate, request)
        if request.again:
            request.is_second = True
            for plugin in chosen:
                await self._measure(plugin, "admit", plugin.mutate, request)

    async def validate(self, request: Request) -> None:
        """Have the request judged; the first refusal is raised."""
        with self._step("validate", request):
            for plugin in self._chosen(request)[1]:
                await self._measure(plugin, "validate", plugin.validate, request)

    @contextlib.contextmanager
    def _step(self, type: str, request: Request) -> Iterator[None]:
        begun, rejected = time.perf_counter(), True
        try:
            yield
            rejected = False
        finally:
            self.measured.step(type, request.operation, time.perf_counter() - begun, rejected=rejected)

    async def _measure(
        self, plugin: Plugin, type: str, work: Callable[[Request], Awaitable[None]], request: Request
    ) -> None:
        begun, rejected = time.perf_counter(), True
        try:
            await work(request)
            rejected = False
        finally:
            seconds = time.perf_counter() - begun
            self.measured.plugin(plugin.name, type, request.operation, seconds, rejected=rejected)

    async def admit(self, request: Request) -> None:
        """Have changed and judged what is not stored as it is: a deletion, what a subresource gets."""
        await self.mutate(request)
        await self.validate(request)

    async def admit_part(
        self, kind: Kind, key: Key, part: str, obj: Object, options: WriteOptions = WRITE
    ) -> None:
        """Admit what is sent to a subresource that stores nothing itself."""
        asked = request("CONNECT" if part in CONNECTED else "CREATE", kind, key, options, part)
        asked.object, asked.shown = obj, shape(obj)
        await self.admit(asked)

    def finished(self, request: Request) -> None:
        """Tell those that judged the request that it is over."""
        for plugin in self._chosen(request)[1]:
            plugin.finished(request)

    def follow(self, source: feed.Feed) -> None:
        """Have plugins load what is configured, now and whenever that changes; the feed has started."""
        for plugin in self._plugins:
            for kind in plugin.watched:
                source.observe(kind, functools.partial(self._reload, plugin))
            plugin.load()

    def _reload(self, plugin: Plugin, _change: object) -> None:
        try:
            plugin.load()
        except Exception:  # what another release stored must not end the feed
            logger.exception("%s cannot take its configuration", plugin.name)
        self.forget()

    def forget(self) -> None:
        """Look up anew which plugins requests concern."""
        self._mutating.clear()

    def _chosen(self, request: Request) -> tuple[tuple[Plugin, ...], tuple[Plugin, ...]]:
        kind, via = request.kind, request.options.via
        key = (request.operation, kind.group, kind.plural, request.subresource, via)
        found = self._mutating.get(key)
        if found is not None:
            return found, self._judging[key]
        concerned = [plugin for plugin in self._plugins if plugin.concerns(request)]
        found = tuple(plugin for plugin in concerned if type(plugin).mutate is not Plugin.mutate)
        judging = tuple(plugin for plugin in concerned if type(plugin).validate is not Plugin.validate)
        self._mutating[key], self._judging[key] = found, judging
        return found, judging
