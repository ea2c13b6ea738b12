"""All verbs on all kinds, over the store: the API without HTTP.

Objects that are handed in belong to the registry and may be changed; objects that it hands out are shared
with its cache and must never be.  A write returns when reads and watches have it.
"""

from __future__ import annotations

import asyncio
import builtins
import random
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field

import orjson

from minikctl import errors
from minikctl.apiserver import (
    applying,
    cache,
    custom,
    deletion,
    feed,
    listing,
    patching,
    pools,
    rbac,
    services,
    strategy,
    watching,
    webhook_client,
)
from minikctl.apiserver import options as options_
from minikctl.apiserver.admission import chain, plugins
from minikctl.apiserver.admission.world import World
from minikctl.apiserver.options import DeleteOptions, ListOptions, PatchOptions, WatchOptions, WriteOptions
from minikctl.apiserver.versions import keep, serve, show, take
from minikctl.drivers import dialing
from minikctl.model import admission as rules
from minikctl.model import kinds, names, objects, schema
from minikctl.model.apply import ownership
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Key, Object
from minikctl.runtime import clock as clocks
from minikctl.runtime import served
from minikctl.store import store as stores

AT_ONCE = 128
"""So many objects of a collection are deleted at a time."""

NAME_ATTEMPTS = 8
"""So often a generated name that is taken is replaced by another."""


@dataclass(frozen=True)
class Settings:
    """What the cluster was set up with, the sources of chance.

    ``busy`` tells of ports that others have, ``dialer`` connects to Services and pods.
    """

    service_cidr: str = "10.96.0.0/16"
    node_ports: tuple[int, int] = (30000, 32767)
    clock: clocks.Clock = field(default_factory=clocks.SystemClock)
    choose: Callable[[int, int], int] = random.randrange
    busy: pools.Busy = pools.nobody
    dialer: dialing.Dialer = dialing.DIRECT
    new_uid: Callable[[], str] = lambda: str(uuid.uuid4())


class Registry:
    """Reads answer from memory; writes go through the store.  ``start`` before use."""

    def __init__(self, store: stores.Store, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.clock = self.settings.clock
        self.feed = feed.Feed(store)
        self.served = served.Served()
        self.store = store
        """For reading what was; all writes go through the registry."""
        choose = self.settings.choose
        self.roles = rbac.Rbac(self.feed)
        self.webhooks = webhook_client.WebhookClient(self.feed, self.settings.dialer)
        world = World(self.feed, self.clock, choose, self.served)
        self.admission = chain.Chain(plugins.build(world, self.roles, self.webhooks), world.measured)
        self.services = services.Addresses(
            pools.AddressPools(self.settings.service_cidr, choose),
            pools.PortPool(*self.settings.node_ports, choose, self.settings.busy),
        )

    async def start(self) -> None:
        """Load what the store has; from here on the registry answers."""
        await self.feed.start()
        for entry in self.feed.collection(kinds.SERVICE_CIDR).entries():
            self.services.admit(entry.object)
        for entry in self.feed.collection(kinds.SERVICE).entries():
            self.services.adopt(entry.object)
        for entry in self.feed.collection(kinds.IP_ADDRESS).entries():
            self.services.reserve(entry.object)
        self.feed.observe(kinds.SERVICE_CIDR, self.services.follow_range)
        self.feed.observe(kinds.SERVICE, self.services.follow)
        self.feed.observe(kinds.IP_ADDRESS, self.services.follow_reservation)
        custom.CustomKinds(self.feed, self.served, self.webhooks).start()
        self.served.subscribe(lambda _: self.admission.forget())
        self.admission.follow(self.feed)

    async def close(self) -> None:
        """Stop following the store; watches end."""
        self.webhooks.close()
        await self.feed.stop()

    # --- reading ----------------------------------------------------------------------------------------

    def counts(self) -> dict[str, int]:
        """Return how many objects there are of each stored kind, by resource."""
        return {kind.resource: self.feed.collection(kind).count() for kind in self.served.table.stored}

    def entry(self, kind: Kind, namespace: str, name: str) -> cache.Entry:
        """Return the stored form of an object; 404 when there is none."""
        found = self.feed.collection(kinds.stored(kind)).get((namespace, name))
        if found is None:
            raise errors.not_found(kind.plural, kind.group, name)
        return found

    def _has(self, kind: Kind, key: Key) -> bool:
        return self.feed.collection(kinds.stored(kind)).get(key) is not None

    def entry_of(self, kind: Kind, obj: Object) -> cache.Entry | None:
        """Return the stored form of an object that was handed out, None if it is no longer, or not, that."""
        found = self.feed.collection(kinds.stored(kind)).get(objects.key(obj))
        version = objects.resource_version(obj)
        return found if found and str(found.revision) == version and found.object == obj else None

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Return the object as it is now, in the version of ``kind``."""
        return serve(kind, self.entry(kind, namespace, name).object)

    def list(self, kind: Kind, namespace: str, options: ListOptions = options_.LIST) -> listing.Page:
        """Return the stored forms of all objects that match; "" is all namespaces."""
        chosen = listing.selection(kind, options.labels, options.fields)
        collection = self.feed.collection(kinds.stored(kind))
        return listing.page(collection, self.feed.revision, namespace, chosen, options, self.clock.now())

    async def ready(self, kind: Kind, entries: builtins.list[cache.Entry]) -> None:
        """Return once ``serve`` can show these entries: a webhook may have to convert them first."""
        if kind.versions is not None:
            await kind.versions.prepare(kind, [entry.object for entry in entries])

    async def selectable(self, kind: Kind, namespace: str, fields: str) -> None:
        """Return once field selectors can judge every object there is; before a list or watch with some."""
        if fields and kind.versions is not None:
            await self.ready(kind, self.feed.collection(kind).entries(namespace))

    def watch(
        self, kind: Kind, namespace: str, options: WatchOptions = options_.WATCH
    ) -> AsyncGenerator[builtins.list[watching.Step], None]:
        """Accept a watch (or raise its refusal at once); what is yielded are batches of stored forms."""
        return watching.follow(watching.begin(self.feed, kind, namespace, options), self.clock)

    # --- writing ----------------------------------------------------------------------------------------

    async def create(
        self, kind: Kind, namespace: str, obj: Object, options: WriteOptions = options_.WRITE
    ) -> Object:
        """Store a new object and return it as stored."""
        stored = kinds.stored(kind)
        obj = take(kind, obj)
        owners = objects.meta(obj).get("managedFields") if options.applied else None
        strategy.begin_create(stored, obj, namespace, self.clock.now(), self.settings.new_uid())
        meta = obj["metadata"]
        if owners:
            meta["managedFields"] = owners
        prefix = "" if meta.get("name") else str(meta.get("generateName") or "")
        attempts = NAME_ATTEMPTS if prefix else 1
        for attempt in range(attempts):
            if prefix:
                meta["name"] = names.generated(prefix, [self.settings.choose(0, 27) for _ in range(5)])
            try:
                return serve(kind, await self._create(kind, obj, options))
            except errors.StatusError as error:
                if error.reason != "AlreadyExists" or attempt == attempts - 1:
                    raise
        raise AssertionError("the loop returns or raises")

    async def _create(self, kind: Kind, obj: Object, options: WriteOptions) -> Object:
        stored = kinds.stored(kind)
        namespace, name = objects.key(obj)
        owners = obj["metadata"].pop("managedFields", None)
        request = chain.request("CREATE", kind, (namespace, name), options)
        request.object = obj
        await self.admission.mutate(request)
        refuse(kind, obj, rules.prepare(stored, obj, None))
        await self.admission.validate(request)
        strategy.set_owners(obj, owners)
        return await services.whole(request, self._insert(request, options), self.admission.finished)

    async def _insert(self, request: chain.Request, options: WriteOptions) -> Object:
        kind, stored, obj = request.requested, request.kind, request.new
        namespace, name = objects.key(obj)
        if not obj["metadata"].get("managedFields"):
            strategy.set_owners(obj, ownership.of_new(kind, serve(kind, obj), self.write(options)))
        if self.feed.collection(stored).get((namespace, name)) is not None:
            raise errors.already_exists(kind.plural, kind.group, name)
        if "status" in stored.subresources and not stored.is_custom:
            obj["status"] = strategy.initial_status(stored, obj)
        stored.prepare(obj, None)
        undo = self._allocate(stored, obj, None)
        if options.dry_run:
            undo()
            return obj
        try:
            return await self._write(stored, obj, self.store.create)
        except stores.KeyExists:
            undo()
            raise errors.already_exists(kind.plural, kind.group, name) from None
        except Exception:
            undo()
            raise

    async def _write(
        self, stored: Kind, obj: Object, write: Callable[[str, bytes], Awaitable[stores.Row]]
    ) -> Object:
        kept = cache.headed(await keep(stored, obj))
        value = orjson.dumps(kept)
        self.feed.expect(value, kept)
        try:
            row = await write(feed.key_of(stored, *objects.key(obj)), value)
        except errors.MinikctlError:
            self.feed.forget(value)
            raise
        await self.feed.reached(row.revision)
        return cache.stamped(obj, row.revision)

    async def update(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        obj: Object,
        options: WriteOptions = options_.WRITE,
        *,
        subresource: str = "",
    ) -> Object:
        """Replace the object, or one part of it, as it was read; a stale resourceVersion is a conflict."""
        strategy.place(kind, obj, namespace)
        strategy.same_name(obj, name)
        if not subresource:
            self.entry(kind, namespace, name)
            strategy.need_version(kind, obj)
        version = strategy.expected_version(obj)

        def change(_: Object) -> Object:
            return obj if version else patching.copied(obj)

        return await self.modify(
            kind, (namespace, name), change, options, subresource=subresource, version=version
        )

    async def patch(
        self, kind: Kind, namespace: str, name: str, body: object, options: PatchOptions
    ) -> Object:
        """Apply the patch to what is stored, again if it changes meanwhile, and return the outcome."""
        version = patching.wanted_version(body, options.type)

        def change(current: Object) -> Object:
            return patching.apply(kind, current, body, options)

        return await self.modify(
            kind,
            (namespace, name),
            change,
            options.writing(),
            subresource=options.subresource,
            version=version,
        )

    async def apply(
        self, kind: Kind, namespace: str, name: str, config: Object, options: PatchOptions
    ) -> tuple[Object, bool]:
        """Apply a configuration; return the outcome and whether that made the object.

        What the manager applied before and leaves out now is removed; fields of others are conflicts unless
        forced.
        """
        applying.check(kind, (namespace, name), config)
        write = self.write(options.writing(), options.subresource)

        def change(current: Object | None) -> Object:
            return applying.outcome(kind, current, config, write, force=options.force)

        while True:
            writing = options.writing(applied=True)
            if options.subresource or self._has(kind, (namespace, name)):
                version = strategy.expected_version(config)
                key, part = (namespace, name), options.subresource
                try:
                    made = await self.modify(kind, key, change, writing, subresource=part, version=version)
                except errors.StatusError as error:
                    if part or error.reason != "NotFound" or self._has(kind, key):
                        raise
                    continue  # it went meanwhile: what is applied is made anew
                return made, False
            applying.check_new(kind, name, config)
            made = change(None)
            strategy.same_name(made, name)
            try:
                return await self.create(kind, namespace, made, writing), True
            except errors.StatusError as error:
                if error.reason != "AlreadyExists":
                    raise

    def write(self, options: WriteOptions, subresource: str = "") -> ownership.Write:
        """Return who writes what now, for managedFields."""
        now = objects.timestamp(self.clock.now())
        return ownership.Write(options.manager, now, options.via or subresource)

    async def modify(
        self,
        kind: Kind,
        key: Key,
        change: Callable[[Object], Object],
        options: WriteOptions = options_.WRITE,
        *,
        subresource: str = "",
        version: str = "",
    ) -> Object:
        """Store what ``change`` makes of a present object; tried again when it changes meanwhile.

        ``change`` must return a new object.  With a version, only that version is changed.
        """
        while True:
            entry = self.entry(kind, *key)
            if version and version != str(entry.revision):
                raise errors.conflict(kind.plural, kind.group, key[1], patching.STALE)
            await self.ready(kind, [entry])
            present = serve(kind, entry.object)
            new = take(kind, change(present))
            request = chain.request("UPDATE", kind, key, options, subresource)
            request.old = present if kind.is_custom else entry.object
            try:
                new = await self._prepare(request, new)
            except BaseException:
                self.admission.finished(request)
                raise
            storing = self._put(request, entry, new, options)
            if await services.whole(request, storing, self.admission.finished):
                return await show(kind, request.new)

    async def _put(
        self, request: chain.Request, entry: cache.Entry, new: Object, options: WriteOptions
    ) -> bool:
        """Store the next state of an entry and have it in the request; False: the entry is stale."""
        kind, stored, old = request.requested, request.kind, request.old or {}
        request.object = entry.object
        if strategy.is_unchanged(new, old) and not deletion.is_finished(stored, new):
            return True
        if not options.applied and request.subresource != "binding":
            write = self.write(options, request.subresource)
            present = await show(kind, entry.object)
            owners = ownership.of_update(kind, present, serve(kind, new), write)
            strategy.set_owners(new, owners)
        undo = self._allocate(stored, new, old)
        if options.dry_run:
            undo()
            request.object = cache.stamped(new, entry.revision)
            return True
        try:
            request.object = await self.replace(stored, entry, new)
        except stores.Mismatch:
            undo()
            await self.feed.reached(self.store.revision)
            return False
        except Exception:
            undo()
            raise
        return True

    async def _prepare(self, request: chain.Request, new: Object) -> Object:
        kind, stored, old = request.requested, request.kind, request.old or {}
        request.object = new = strategy.begin_update(stored, new, old, request.subresource)
        owners = new["metadata"].pop("managedFields", None)
        await self.admission.mutate(request)
        if request.subresource:
            schema.apply_defaults(stored, new)
            refuse(kind, new, schema.check(stored, new, old))
            if request.subresource in stored.parts:
                stored.default(new)
                refuse(kind, new, stored.parts[request.subresource](new, old))
                strategy.count_generation(stored, new, old)
        else:
            if stored is kinds.SERVICE:
                services.carry_over(new, old)
            stored.prepare(new, old)
            refuse(kind, new, rules.prepare(stored, new, old))
            strategy.count_generation(stored, new, old)
        await self.admission.validate(request)
        if owners is not None:
            new["metadata"]["managedFields"] = strategy.timed(owners)
        return new

    async def replace(self, stored: Kind, entry: cache.Entry, new: Object) -> Object:
        """Write the next state of an entry, or its end if nothing holds it; ``Mismatch`` when stale."""
        if deletion.is_finished(stored, new):
            return cache.stamped(new, await self.remove(stored, entry))
        return await self._write(
            stored, new, lambda key, value: self.store.update(key, value, entry.revision)
        )

    async def remove(self, stored: Kind, entry: cache.Entry) -> int:
        """End an entry whatever holds it, and ask nobody; return the revision.  ``Mismatch`` when stale."""
        row = await self.store.delete(feed.key_of(stored, *entry.key), entry.revision)
        await self.feed.reached(row.revision)
        return row.revision

    def _allocate(self, stored: Kind, new: Object, old: Object | None) -> services.Undo:
        if stored is kinds.SERVICE:
            return self.services.allocate(new, old)
        return _nothing

    # --- deleting ---------------------------------------------------------------------------------------

    async def delete_collection(
        self,
        kind: Kind,
        namespace: str,
        chosen: ListOptions,
        options: DeleteOptions = options_.DELETE,
        *,
        write: WriteOptions = options_.WRITE,
    ) -> listing.Page:
        """Delete all objects that match, in parallel so that they share commits; return them as they were."""
        await self.selectable(kind, namespace, chosen.fields)
        page = self.list(kind, namespace, chosen)

        async def delete(entry: cache.Entry) -> errors.StatusError | None:
            try:
                await self.delete(kind, *entry.key, options, write=write)
            except errors.StatusError as error:
                return None if error.reason == "NotFound" else error
            return None

        for start in range(0, len(page.entries), AT_ONCE):
            outcomes = await asyncio.gather(*map(delete, page.entries[start : start + AT_ONCE]))
            for refusal in filter(None, outcomes):
                raise refusal
        return page

    async def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        options: DeleteOptions = options_.DELETE,
        *,
        write: WriteOptions = options_.WRITE,
    ) -> tuple[Object, bool]:
        """Delete the object or mark it for deletion; return it as it was left, and whether it is gone."""
        stored = kinds.stored(kind)
        while True:
            entry = self.entry(kind, namespace, name)
            deletion.check(kind, entry.object, options)
            await self.ready(kind, [entry])
            request = chain.request("DELETE", kind, entry.key, write)
            request.old, request.deletion = entry.object, options
            await self.admission.admit(request)
            decision = deletion.decide(stored, entry.object, options, self.clock.now())
            if decision is None:
                return await show(kind, entry.object), False
            gone = isinstance(decision, deletion.Remove)
            if write.dry_run:
                left = decision.object if isinstance(decision, deletion.Mark) else entry.object
                return await show(kind, left), gone
            try:
                return await show(kind, await self._delete(stored, entry, decision)), gone
            except stores.Mismatch:
                await self.feed.reached(self.store.revision)

    async def _delete(
        self, stored: Kind, entry: cache.Entry, decision: deletion.Remove | deletion.Mark
    ) -> Object:
        if isinstance(decision, deletion.Mark):
            meta = {
                name: value
                for name, value in decision.object["metadata"].items()
                if name != "resourceVersion"
            }
            return await self.replace(stored, entry, {**decision.object, "metadata": meta})
        await self.remove(stored, entry)
        return entry.object


def refuse(kind: Kind, obj: Object, found: list[dict[str, str]]) -> None:
    """Raise 422 when there are causes for it."""
    if found:
        raise errors.invalid(kind.kind, kind.group, objects.name(obj), found)


def _nothing() -> None:
    """Take nothing back: the kind has nothing to allocate."""
