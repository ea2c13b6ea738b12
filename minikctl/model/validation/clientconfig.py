"""Where a webhook is: a URL, or a Service (apiserver/pkg/util/webhook/validation.go)."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

from minikctl.model import causes
from minikctl.model.kind import Cause


def validate(config: Mapping[str, Any], path: str) -> Iterator[Cause]:
    """Yield what is wrong with the address of a webhook."""
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        yield causes.required(path, "exactly one of url or service is required")
    elif url is not None:
        yield from _url(str(url), f"{path}.url")
    else:
        service = service or {}
        for field in ("name", "namespace"):
            if not service.get(field):
                yield causes.required(f"{path}.service.{field}", f"service {field} is required")
        port = service.get("port")
        if port is not None and not 0 < port < 65536:
            detail = "port is not valid: must be between 1 and 65535, inclusive"
            yield causes.invalid(f"{path}.service.port", port, detail)
        where = service.get("path")
        if where and not where.startswith("/"):
            yield causes.invalid(f"{path}.service.path", where, "must start with a '/'")


def _url(url: str, path: str) -> Iterator[Cause]:
    form = "desired format: https://host[/path]"
    try:
        found = urllib.parse.urlsplit(url)
    except ValueError as error:
        yield causes.required(path, f"url must be a valid URL: {error}; {form}")
        return
    user, _, host = found.netloc.rpartition("@")
    if found.scheme != "https":
        yield causes.invalid(path, found.scheme, f"'https' is the only allowed URL scheme; {form}")
    if not host:
        yield causes.invalid(path, "", f"host must be specified; {form}")
    if user:
        yield causes.invalid(path, user, f"user information is not permitted in the URL; {form}")
    if found.fragment:
        yield causes.invalid(path, found.fragment, f"fragments are not permitted in the URL; {form}")
    if found.query:
        yield causes.invalid(path, found.query, f"query parameters are not permitted in the URL; {form}")
