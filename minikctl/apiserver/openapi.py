"""OpenAPI documents: version 3 per group and version, version 2 for everything.

Types are named as Kubernetes names them (``io.k8s.api.core.v1.Pod``): clients find a kind by its
``x-kubernetes-group-version-kind``.  Documents are made when they are first asked for and kept compressed.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
from typing import Any

import orjson

from minikctl.apiserver import discovery, openapi_paths, openapi_protobuf, openapi_types
from minikctl.model.kinds.base import Kind
from minikctl.model.kindtable import KindTable

_INFO = {"title": "Kubernetes", "version": "v1.36.2"}
_COMPRESSION = 6


def version_3(table: KindTable, group: str, version: str) -> bytes:
    """Return the OpenAPI 3 document of one group and version, compressed with gzip."""
    return _version_3(tuple(table.of_version(group, version)))


@functools.lru_cache(maxsize=256)
def _version_3(served: tuple[Kind, ...]) -> bytes:
    types = openapi_types.Types(version2=False)
    paths: dict[str, Any] = {}
    for kind in served:
        paths.update(openapi_paths.of(kind, types))
    schemas = {"schemas": dict(sorted(types.found.items()))}
    body = {"openapi": "3.0.0", "info": _INFO, "paths": paths, "components": schemas}
    return gzip.compress(orjson.dumps(body), _COMPRESSION, mtime=0)


@functools.lru_cache(maxsize=1)
def version_2(table: KindTable) -> bytes:
    """Return the OpenAPI 2 document of everything, as JSON, compressed with gzip."""
    return gzip.compress(orjson.dumps(_version_2(table)), _COMPRESSION, mtime=0)


@functools.lru_cache(maxsize=1)
def version_2_protobuf(table: KindTable) -> bytes:
    """Return the OpenAPI 2 document of everything, as protobuf, compressed with gzip."""
    return gzip.compress(openapi_protobuf.encode(_version_2(table)), _COMPRESSION, mtime=0)


def _version_2(table: KindTable) -> dict[str, Any]:
    types = openapi_types.Types(version2=True)
    paths: dict[str, Any] = {}
    for group, versions in discovery.groups(table).items():
        for version in versions:
            for kind in table.of_version(group, version):
                paths.update(openapi_paths.of(kind, types))
    definitions = dict(sorted(types.found.items()))
    return {"swagger": "2.0", "info": _INFO, "paths": paths, "definitions": definitions}


@functools.lru_cache(maxsize=4)
def hash_2(table: KindTable) -> str:
    """Return what changes when the OpenAPI 2 document does."""
    return _hash(table.all)


def hash_3(table: KindTable, group: str, version: str) -> str:
    """Return what changes when the OpenAPI 3 document of that group and version does."""
    return _hash(tuple(table.of_version(group, version)))


@functools.lru_cache(maxsize=512)
def _hash(served: tuple[Kind, ...]) -> str:
    """Return a hash of what documents of these kinds are made from: cheaper than making them."""
    digest = hashlib.sha512(_source_hash())
    for kind in served:
        digest.update(f"{kind.api_version} {kind.kind} {sorted(kind.subresources)}\n".encode())
        if kind.shape is not None:
            digest.update(orjson.dumps(dict(kind.shape.document)))
    return digest.hexdigest().upper()


@functools.cache
def _source_hash() -> bytes:
    return hashlib.sha512(openapi_types.source()).digest()


def index(table: KindTable) -> bytes:
    """Return the list of OpenAPI 3 documents, each with a hash by which clients cache it."""
    paths = {}
    for group, versions in discovery.groups(table).items():
        for version in versions:
            name = f"apis/{group}/{version}" if group else f"api/{version}"
            query = f"?hash={hash_3(table, group, version)}"
            paths[name] = {"serverRelativeURL": f"/openapi/v3/{name}{query}"}
    return orjson.dumps({"paths": paths})
