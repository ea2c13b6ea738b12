"""Aggregated APIs over HTTP: requests passed on, and documents that show what others serve beside us."""

from __future__ import annotations

import functools
import gzip
import hashlib
from typing import Any

import orjson

from minikctl import errors
from minikctl.apiserver import discovery, openapi, openapi_protobuf, outbound
from minikctl.apiserver.aggregation import Aggregation, Remote, identity_headers
from minikctl.apiserver.http_exchange import Exchange
from minikctl.model import apiservices
from minikctl.model.kindtable import KindTable

Document = dict[str, Any]


async def serve(aggregation: Aggregation, exchange: Exchange, remote: Remote) -> None:
    """Pass a request on, and the answer back; 503 while the other server is not available."""
    if not remote.is_available:
        await exchange.answer(b"service unavailable\n", "text/plain; charset=utf-8", 503)
        return
    from minikctl.apiserver import http_proxy  # rarely asked for, and brings an HTTP client

    server = aggregation.server(remote)
    try:
        backend = http_proxy.Backend(*await outbound.connect(server, http_proxy.CONNECT_SECONDS))
    except outbound.CallFailed as error:
        text = f"error trying to reach service: {error}"
        raise errors.StatusError(503, "ServiceUnavailable", text) from error
    query = f"?{exchange.raw_query}" if exchange.raw_query else ""
    path = exchange.raw_path
    identity = identity_headers(exchange.user)
    passage = http_proxy.Passage(exchange, backend, None, path, identity=identity, host=server.authority)
    try:
        await passage.run(path + query)
    finally:
        await backend.close()


class Documents:
    """Discovery and OpenAPI of everything that can be asked for here."""

    def __init__(self, aggregation: Aggregation | None) -> None:
        self._aggregation = aggregation

    @property
    def _remotes(self) -> list[Remote]:
        return self._aggregation.remotes if self._aggregation is not None else []

    def groups(self, table: KindTable) -> dict[str, list[str]]:
        """Return the versions of each group, the preferred one first."""
        found = discovery.groups(table)
        for remote in self._remotes:
            group, version = remote.key
            versions = found.setdefault(group, [])
            if version not in versions:
                versions.append(version)
        return found

    def api_group(self, table: KindTable, group: str) -> Document:
        """Return what /apis/<group> answers."""
        return discovery.api_group(self.groups(table), group)

    def api_group_list(self, table: KindTable) -> Document:
        """Return what /apis answers."""
        return discovery.api_group_list(self.groups(table))

    def aggregated(self, table: KindTable, *, core: bool) -> tuple[str, bytes]:
        """Return the hash of everything below /api or /apis as one document, and that, with gzip."""
        if core or self._aggregation is None or not self._remotes:
            return discovery.aggregated_document(table, core=core)
        return _aggregated(self._aggregation, table, self._aggregation.version)

    def openapi_index(self, table: KindTable) -> bytes:
        """Return the list of OpenAPI 3 documents."""
        data = openapi.index(table)
        if not self._remotes:
            return data
        found = orjson.loads(data)
        for remote in self._remotes:
            name = remote.prefix.lstrip("/")
            found["paths"].pop(name, None)
            if remote.openapi_3:
                found["paths"][name] = {"serverRelativeURL": remote.openapi_3}
        return orjson.dumps(found)

    def openapi_3(self, group: str, version: str) -> Remote | None:
        """Return who has the OpenAPI 3 document of a group and version, None if that is us."""
        return next((each for each in self._remotes if each.key == (group, version)), None)

    def openapi_hash(self, table: KindTable) -> str:
        """Return what changes when the OpenAPI 2 document does."""
        own = openapi.hash_2(table)
        if self._aggregation is None or not self._remotes:
            return own
        return hashlib.sha512((own + self._aggregation.digest()).encode()).hexdigest().upper()

    def openapi_2(self, table: KindTable, *, protobuf: bool = False) -> bytes:
        """Return the OpenAPI 2 document of everything, compressed with gzip."""
        if self._aggregation is None or not self._remotes:
            return openapi.version_2_protobuf(table) if protobuf else openapi.version_2(table)
        own = orjson.loads(gzip.decompress(openapi.version_2(table)))
        merged = apiservices.merged_openapi(own, self._aggregation.openapi_documents())
        data = openapi_protobuf.encode(merged) if protobuf else orjson.dumps(merged)
        return gzip.compress(data, 6, mtime=0)


@functools.lru_cache(maxsize=2)
def _aggregated(aggregation: Aggregation, table: KindTable, _version: int) -> tuple[str, bytes]:
    found = discovery.aggregated(table, core=False)
    known = {each["metadata"]["name"]: each for each in found["items"]}
    for remote in aggregation.remotes:
        group, version = remote.key
        entry = known.get(group)
        if entry is None:
            entry = known[group] = {"metadata": {"name": group, "creationTimestamp": None}, "versions": []}
            found["items"].append(entry)
        shown = {
            "version": version,
            "resources": remote.resources,
            "freshness": "Current" if remote.is_current else "Stale",
        }
        entry["versions"] = [each for each in entry["versions"] if each["version"] != version] + [shown]
    body = orjson.dumps(found)
    return hashlib.sha512(body).hexdigest().upper(), gzip.compress(body, 6, mtime=0)
