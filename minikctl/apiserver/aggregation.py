"""Aggregation: groups and versions that other servers in the cluster answer for, as APIServices say.

Requests are passed on with the user's name in headers and a certificate of the front proxy; discovery and
OpenAPI documents show what the others serve beside what is served here.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from minikctl import errors
from minikctl.apiserver import cache, discovery, outbound, resolving
from minikctl.apiserver.auth import MASTERS, User
from minikctl.apiserver.patching import copied
from minikctl.apiserver.registry import Registry
from minikctl.model import apiservices, kinds, objects
from minikctl.model.kindtable import KindTable
from minikctl.model.objects import Object

CHECK_SECONDS = 30.0
"""Everybody is asked so often whether they are there and what they serve; changes are followed at once."""
PATIENCE_SECONDS = 5.0
DEFAULT_PORT = 443
_NONSENSE = (AttributeError, TypeError, ValueError)
"""What documents of others raise that have another form than they should."""
_SERVICE_NAME = "kubernetes.io/service-name"

logger = logging.getLogger(__name__)

Identity = tuple[str, str]
"""The files of our certificate and key for other servers."""


@dataclass
class Remote:
    """One group and version of another server, and what is known of it."""

    service: Object
    resources: list[dict[str, Any]] = field(default_factory=list)
    is_current: bool = False
    """Whether ``resources`` are what it said when it was last asked."""
    openapi_2: Mapping[str, Any] = field(default_factory=dict)
    openapi_3: str = ""
    """Where its OpenAPI 3 document is, "" if it has none."""

    @property
    def spec(self) -> Object:
        """Return the APIService's spec."""
        return objects.spec(self.service)

    @property
    def key(self) -> tuple[str, str]:
        """Return group and version."""
        return str(self.spec.get("group") or ""), str(self.spec["version"])

    @property
    def prefix(self) -> str:
        """Return the path below which it answers."""
        return f"/apis/{self.key[0]}/{self.key[1]}"

    @property
    def place(self) -> tuple[str, str]:
        """Return namespace and name of the Service."""
        service = self.spec["service"]
        return str(service["namespace"]), str(service["name"])

    @property
    def is_available(self) -> bool:
        """Tell whether requests are passed on."""
        found = objects.condition(self.service, "Available")
        return found is not None and found.get("status") == "True"


def identity_headers(user: User) -> list[tuple[str, str]]:
    """Return the headers that tell another server who asks."""
    found = [("x-remote-user", user.name)]
    if user.uid:
        found.append(("x-remote-uid", user.uid))
    found += [("x-remote-group", group) for group in user.groups]
    for name, values in user.extra.items():
        header = f"x-remote-extra-{urllib.parse.quote(name.lower(), safe='')}"
        found += [(header, value) for value in values]
    return found


class Aggregation:
    """The other servers; ``start`` when the registry has started, ``run`` keeps what is known up to date."""

    def __init__(self, registry: Registry, identity: Identity | None = None) -> None:
        self._registry = registry
        self._identity = identity
        self._remotes: dict[tuple[str, str], Remote] = {}
        self._changed = asyncio.Event()
        self.version = 0
        """Raised whenever documents that show other servers are different."""

    def start(self) -> None:
        """Take the APIServices as they are now, and follow them from here on."""
        feed = self._registry.feed
        for entry in feed.collection(kinds.API_SERVICE).entries():
            self._take(entry.object)
        feed.observe(kinds.API_SERVICE, self._follow)
        feed.observe(kinds.SERVICE, self._follow_service)
        feed.observe(kinds.ENDPOINT_SLICE, self._follow_slice)
        self._registry.served.subscribe(lambda _: self._changed.set())

    # --- what is known ----------------------------------------------------------------------------------

    @property
    def remotes(self) -> list[Remote]:
        """Return all others, the most important groups and versions first."""
        return sorted(self._remotes.values(), key=_importance)

    def find(self, path: str) -> Remote | None:
        """Return who answers for a path, None if that is us."""
        if not self._remotes:
            return None
        parts = path.split("/", 4)
        return self._remotes.get((parts[2], parts[3])) if len(parts) > 3 else None

    def covers(self, path: str) -> bool:
        """Tell whether another server answers for a path."""
        return self.find(path) is not None

    def server(self, remote: Remote) -> outbound.Server:
        """Return where a server is now; 503 when nobody can be there."""
        spec, (namespace, name) = remote.spec, remote.place
        port = int(spec["service"].get("port") or DEFAULT_PORT)
        try:
            host, number = resolving.endpoint(self._registry.feed, namespace, name, port)
        except resolving.Unresolved as error:
            raise errors.StatusError(503, "ServiceUnavailable", str(error)) from None
        return outbound.Server(
            host,
            number,
            f"{host}:{number}",
            f"{name}.{namespace}.svc",
            str(spec.get("caBundle") or ""),
            bool(spec.get("insecureSkipTLSVerify")),
            self._identity,
            self._registry.settings.dialer,
        )

    # --- following --------------------------------------------------------------------------------------

    def _follow(self, change: cache.Change) -> None:
        if change.new is not None:
            self._take(change.new.object)
        elif change.old is not None:
            self._drop(change.old.object)
        self._changed.set()

    def _take(self, service: Object) -> None:
        spec = objects.spec(service)
        if spec.get("service") is None or not spec.get("group"):
            self._drop(service)
            return
        fresh = Remote(service)
        known = self._remotes.get(fresh.key)
        if known is None:
            self._remotes[fresh.key] = fresh
            self.version += 1
        else:
            known.service = service

    def _drop(self, service: Object) -> None:
        spec = objects.spec(service)
        if self._remotes.pop((str(spec.get("group") or ""), str(spec.get("version"))), None) is not None:
            self.version += 1

    def _follow_service(self, change: cache.Change) -> None:
        self._wake(change.last.key)

    def _follow_slice(self, change: cache.Change) -> None:
        if self._remotes:
            namespace = change.last.key[0]
            self._wake((namespace, objects.labels(change.last.object).get(_SERVICE_NAME, "")))

    def _wake(self, place: tuple[str, str]) -> None:
        if any(remote.place == place for remote in self._remotes.values()):
            self._changed.set()

    # --- keeping up to date -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Register what is served here, ask the others, again and again; ends only when it is cancelled."""
        while True:
            self._changed.clear()
            patience = CHECK_SECONDS if self._remotes else None
            try:
                await self._register(self._registry.served.table)
                await asyncio.gather(*(self._look(remote) for remote in self.remotes))
            except errors.MinikctlError as error:
                logger.warning("aggregation: %s", error)
                await self._registry.clock.sleep(1.0)
                patience = CHECK_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._changed.wait()

    async def _register(self, table: KindTable) -> None:
        """Have an APIService for every group and version that is served here."""
        custom = {(kind.group, kind.version) for kind in table.custom}
        wanted = {
            apiservices.name_of(group, version): apiservices.local(
                group, version, custom=(group, version) in custom
            )
            for group, versions in discovery.groups(table).items()
            if group not in apiservices.NOT_REGISTERED
            for version in versions
        }
        present = {e.key[1]: e.object for e in self._registry.feed.collection(kinds.API_SERVICE).entries()}
        lacking = [each for name, each in wanted.items() if name not in present]
        surplus = [
            name for name, each in present.items() if apiservices.is_managed(each) and name not in wanted
        ]
        await asyncio.gather(*map(self._create, lacking), *map(self._delete, surplus))
        unsaid = [
            each
            for each in present.values()
            if objects.spec(each).get("service") is None and objects.condition(each, "Available") is None
        ]
        await asyncio.gather(*(self._tell(each, apiservices.LOCAL) for each in (*lacking, *unsaid)))

    async def _create(self, service: Object) -> None:
        try:
            await self._registry.create(kinds.API_SERVICE, "", copied(service))
        except errors.StatusError as error:
            if error.reason != "AlreadyExists":
                raise

    async def _delete(self, name: str) -> None:
        with contextlib.suppress(errors.StatusError):
            await self._registry.delete(kinds.API_SERVICE, "", name)

    async def _tell(self, service: Object, condition: dict[str, str]) -> None:
        """Have the APIService say whether it is available; nothing is written when it says so already."""
        now = objects.timestamp(self._registry.clock.now())

        def change(current: Object) -> Object:
            known = objects.condition(current, "Available") or {}
            since = known.get("lastTransitionTime") if known.get("status") == condition["status"] else None
            new = copied(current)
            new["status"] = {"conditions": [{**condition, "lastTransitionTime": since or now}]}
            return new

        with contextlib.suppress(errors.StatusError):
            await self._registry.modify(
                kinds.API_SERVICE, ("", objects.name(service)), change, subresource="status"
            )

    async def _look(self, remote: Remote) -> None:
        before = (remote.resources, remote.is_current, remote.openapi_2, remote.openapi_3)
        condition = self._problem(remote)
        if condition is None:
            condition = await self._asked(remote)
        remote.is_current = condition["status"] == "True"
        if (remote.resources, remote.is_current, remote.openapi_2, remote.openapi_3) != before:
            self.version += 1
        await self._tell(remote.service, condition)

    def _problem(self, remote: Remote) -> dict[str, str] | None:
        (namespace, name), feed = remote.place, self._registry.feed
        found = feed.collection(kinds.SERVICE).get((namespace, name))
        if found is None:
            text = f'service/{name} in "{namespace}" is not present'
            return apiservices.condition("False", "ServiceNotFound", text)
        slices = (
            each.object
            for each in feed.collection(kinds.ENDPOINT_SLICE).entries(namespace)
            if objects.labels(each.object).get(_SERVICE_NAME) == name
        )
        port = int(remote.spec["service"].get("port") or DEFAULT_PORT)
        return apiservices.found_wanting(found.object, slices, name, port)

    async def _asked(self, remote: Remote) -> dict[str, str]:
        """Ask a server what it serves; return whether it answered as a condition."""
        try:
            server = self.server(remote)
            found = await self._document(server, remote.prefix)
            remote.resources = apiservices.discovered(*remote.key, found)
        except (outbound.CallFailed, errors.StatusError, *_NONSENSE) as error:
            return apiservices.condition("False", "FailedDiscoveryCheck", str(error))
        for attribute, read in (("openapi_2", self._openapi_2), ("openapi_3", self._openapi_3)):
            with contextlib.suppress(outbound.CallFailed, *_NONSENSE):
                setattr(remote, attribute, await read(server, remote))
        return apiservices.PASSED

    async def _openapi_2(self, server: outbound.Server, remote: Remote) -> Mapping[str, Any]:
        found = await self._document(server, "/openapi/v2")
        return apiservices.openapi_below(remote.prefix, found)

    async def _openapi_3(self, server: outbound.Server, remote: Remote) -> str:
        found = await self._document(server, "/openapi/v3")
        entry = (found.get("paths") or {}).get(remote.prefix.lstrip("/")) or {}
        return str(entry.get("serverRelativeURL") or "")

    async def _document(self, server: outbound.Server, path: str) -> Mapping[str, Any]:
        headers = dict(identity_headers(User("system:kube-aggregator", (MASTERS,))))
        url = f"https://{server.authority}{path}"
        try:
            reply = await outbound.fetch(server, path, PATIENCE_SECONDS, headers)
        except outbound.CallFailed as error:
            raise outbound.CallFailed(f"failing or missing response from {url}: {error}") from None
        if not 200 <= reply.status < 300:
            text = f"bad status from {url}: {reply.status}"
            raise outbound.CallFailed(f"failing or missing response from {url}: {text}")
        try:
            found = orjson.loads(reply.body)
        except orjson.JSONDecodeError as error:
            raise outbound.CallFailed(f"failing or missing response from {url}: {error}") from None
        if not isinstance(found, dict):
            raise outbound.CallFailed(f"failing or missing response from {url}: it is no object")
        return found

    # --- documents --------------------------------------------------------------------------------------

    def digest(self) -> str:
        """Return what changes when the documents of others do."""
        seen = [
            [*each.key, each.is_current, each.resources, each.openapi_3, each.openapi_2]
            for each in self.remotes
        ]
        return hashlib.sha256(orjson.dumps(seen)).hexdigest().upper()

    def openapi_documents(self) -> Iterator[Mapping[str, Any]]:
        """Yield what others' OpenAPI 2 documents say about their groups and versions."""
        yield from (each.openapi_2 for each in self.remotes if each.openapi_2)


def _importance(remote: Remote) -> tuple[int, str, int, str]:
    spec = remote.spec
    first, second = int(spec.get("groupPriorityMinimum") or 0), int(spec.get("versionPriority") or 0)
    return -first, remote.key[0], -second, remote.key[1]
