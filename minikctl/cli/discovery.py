"""Which resources a server serves, asked once and kept on disk for a short while."""

from __future__ import annotations

import os
import time

from minikctl import errors
from minikctl.client import lightjson
from minikctl.client.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from minikctl.client.http import HttpClient

ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
FRESH_SECONDS = 600


class Resource(Record):
    """One resource as discovery tells of it."""

    group: str
    version: str
    name: str
    singular: str
    kind: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """Return ``v1`` or ``apps/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """Return ``pods`` or ``deployments.apps``."""
        return f"{self.name}.{self.group}" if self.group else self.name

    @property
    def title(self) -> str:
        """Return how messages name an object's type: ``pod`` or ``deployment.apps``."""
        singular = self.singular or self.kind.lower()
        return f"{singular}.{self.group}" if self.group else singular


class UnknownType(errors.UsageError):
    """The server serves no such type; ``near`` are types of similar names."""

    def __init__(self, name: str, known: list[Resource]) -> None:
        import difflib

        kind, dot, group = name.partition(".")
        place = f' in group "{group}"' if dot else ""
        super().__init__(f'error: the server doesn\'t have a resource type "{kind}"{place}')
        names = {word for resource in known for word in (resource.name, *resource.short_names)}
        self.near = tuple(difflib.get_close_matches(kind.lower(), sorted(names), 2, 0.75))


class Discovery:
    """The served resources; what is not found in the kept answer is asked for again."""

    def __init__(self, client: HttpClient, cache_directory: str) -> None:
        self._client = client
        place = "".join(char if char.isalnum() or char in ".-" else "_" for char in client.endpoint.server)
        self._file = os.path.join(cache_directory, f"discovery-{place}.json")
        self._resources: list[Resource] | None = None
        self._is_fresh = False

    def all(self) -> list[Resource]:
        """Return all resources, of each group's preferred version first."""
        if self._resources is None:
            self._resources = self._kept() or self._ask()
        return self._resources

    def refresh(self) -> None:
        """Ask the server, whatever is kept."""
        self._resources = self._ask()

    def find(self, name: str) -> Resource:
        """Return the resource that a plural, singular, short or group-qualified name means, as kubectl does."""
        found = self._find(name)
        if found is None and not self._is_fresh:
            self.refresh()
            found = self._find(name)
        if found is None:
            raise UnknownType(name, self.all())
        return found

    def category(self, name: str) -> list[Resource]:
        """Return the resources of a category such as ``all``, each once."""
        unique: dict[str, Resource] = {}
        for resource in self.all():
            if name in resource.categories:
                unique.setdefault(resource.qualified, resource)
        return list(unique.values())

    def by_kind(self, api_version: str, kind: str) -> Resource | None:
        """Return the resource of objects with that apiVersion and kind."""
        for attempt in (0, 1):
            for resource in self.all():
                if resource.kind == kind and resource.api_version == api_version:
                    return resource
            if attempt == 0 and not self._is_fresh:
                self.refresh()
        return None

    def _find(self, name: str) -> Resource | None:
        wanted, _, rest = name.lower().partition(".")
        candidates = [r for r in self.all() if wanted in (r.name, r.singular, r.kind.lower(), *r.short_names)]
        if not rest:
            ranked = sorted(candidates, key=lambda r: (wanted in r.short_names, bool(r.group)))
            return ranked[0] if ranked else None
        for resource in candidates:
            if rest in (resource.group, f"{resource.version}.{resource.group}", resource.version):
                return resource
        return None

    def _kept(self) -> list[Resource] | None:
        try:
            if time.time() - os.stat(self._file).st_mtime > FRESH_SECONDS:
                return None
            with open(self._file, encoding="utf-8") as source:
                return [Resource(*map(_tuple, entry)) for entry in lightjson.loads(source.read())]
        except (OSError, ValueError, TypeError):
            return None

    def _ask(self) -> list[Resource]:
        import json

        self._is_fresh = True
        found = list(self._aggregated("/api")) + list(self._aggregated("/apis"))
        try:
            os.makedirs(os.path.dirname(self._file), mode=0o700, exist_ok=True)
            staged = f"{self._file}.{os.getpid()}"
            with open(staged, "w", encoding="utf-8") as sink:
                json.dump([resource.values() for resource in found], sink)
            os.replace(staged, self._file)
        except OSError:
            pass  # a cache that cannot be kept costs time, nothing else
        return found

    def _aggregated(self, path: str) -> Iterator[Resource]:
        answer = self._client.request("GET", path, headers={"Accept": ACCEPT}).json()
        if answer.get("kind") != "APIGroupDiscoveryList":
            yield from self._legacy(path, answer)
            return
        for group in answer.get("items") or ():
            name = (group.get("metadata") or {}).get("name", "")
            for version in group.get("versions") or ():
                for entry in version.get("resources") or ():
                    yield _from_aggregated(name, version["version"], entry)

    def _legacy(self, path: str, answer: dict[str, Any]) -> Iterator[Resource]:
        """Ask a server of before aggregated discovery, version by version."""
        if path == "/api":
            versions = [f"/api/{version}" for version in answer.get("versions") or ()]
        else:
            versions = [
                f"/apis/{version['groupVersion']}"
                for group in answer.get("groups") or ()
                for version in group.get("versions") or ()
            ]
        for place in versions:
            listed = self._client.request("GET", place).json()
            group, _, version = str(listed.get("groupVersion", "")).rpartition("/")
            for entry in listed.get("resources") or ():
                if "/" not in entry["name"]:
                    yield _from_legacy(group, version, entry)


def _from_aggregated(group: str, version: str, entry: dict[str, Any]) -> Resource:
    return Resource(
        group,
        version,
        entry["resource"],
        entry.get("singularResource", ""),
        (entry.get("responseKind") or {}).get("kind", ""),
        entry.get("scope") == "Namespaced",
        tuple(entry.get("shortNames") or ()),
        tuple(entry.get("categories") or ()),
        tuple(entry.get("verbs") or ()),
    )


def _from_legacy(group: str, version: str, entry: dict[str, Any]) -> Resource:
    return Resource(
        entry.get("group") or group,
        entry.get("version") or version,
        entry["name"],
        entry.get("singularName", ""),
        entry["kind"],
        bool(entry.get("namespaced")),
        tuple(entry.get("shortNames") or ()),
        tuple(entry.get("categories") or ()),
        tuple(entry.get("verbs") or ()),
    )


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
