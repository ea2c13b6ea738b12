"""Field managers in requests: who writes, by the ``fieldManager`` parameter or the User-Agent."""

from __future__ import annotations

from minikctl import errors
from minikctl.apiserver.http_exchange import Exchange
from minikctl.apiserver.options import PatchType
from minikctl.model import causes

LONGEST = 128
_OPTIONS = {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions"}


def manager(exchange: Exchange) -> str:
    """Return the name of the request's field manager; 422 for one that cannot be a name."""
    given = exchange.query.get("fieldManager", "")
    if given:
        _check(exchange, given)
        return given
    agent = exchange.headers.get("user-agent", "").partition("/")[0]
    return "".join(filter(str.isprintable, agent)).encode()[:LONGEST].decode(errors="ignore")


def _check(exchange: Exchange, given: str) -> None:
    found = []
    if len(given.encode()) > LONGEST:
        found.append(causes.too_long("fieldManager", LONGEST))
    if not given.isprintable():
        found.append(causes.invalid("fieldManager", given, "should only contain printable characters"))
    if found:
        raise errors.invalid(_OPTIONS.get(exchange.method, "PatchOptions"), "meta.k8s.io", "", found)


def check_patch(exchange: Exchange, type: PatchType) -> None:
    """Raise 422 when a patch's options do not fit its type: only apply has ``force``, and needs a manager."""
    found = []
    if type != "apply" and "force" in exchange.query:
        found.append(causes.forbidden("force", "may not be specified for non-apply patch"))
    if type == "apply" and not exchange.query.get("fieldManager"):
        found.append(causes.required("fieldManager", "is required for apply patch"))
    if found:
        raise errors.invalid("PatchOptions", "meta.k8s.io", "", found)
