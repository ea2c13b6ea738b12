"""In which other namespace there is what was not found, when none was named: ``-n`` is easily forgotten."""

from __future__ import annotations

from minikctl import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from minikctl.cli.discovery import Resource
    from minikctl.cli.session import Session

MOST = 3
SYSTEM = "kube-"
"""How namespaces begin that nobody means by chance."""


def of_failure(error: errors.StatusError, session: Session) -> str:
    """Return the hint on an object that is not there, "" if it is nowhere or the namespace was named."""
    name, kind = str(error.details.get("name") or ""), str(error.details.get("kind") or "")
    if error.code != 404 or not name or not kind:
        return ""
    group = error.details.get("group")
    try:
        return of_kind(session.discovery.find(f"{kind}.{group}" if group else kind), session, name)
    except errors.MinikctlError:
        return ""


def of_kind(resource: Resource, session: Session, name: str = "") -> str:
    """Return the hint on a kind of which nothing, or nothing of that name, is in the namespace."""
    from minikctl.cli import selection

    if session.settings.namespace or not session.is_local or not resource.namespaced:
        return ""
    fields = f"metadata.name={name}" if name else ""
    try:
        found = selection.members(selection.Target(resource, "", ""), session, fields=fields)
    except errors.MinikctlError:
        return ""
    return _words(name or resource.name, sorted({one.namespace for one in found} - {session.namespace}))


def _words(what: str, namespaces: Iterable[str]) -> str:
    meant = [one for one in namespaces if not one.startswith(SYSTEM)]
    if not meant:
        return ""
    shown = ", ".join(meant[:MOST]) + (" …" if meant[MOST:] else "")
    noun = "namespace" if len(meant) == 1 else "namespaces"
    return f"{what} found in {noun} {shown}: `-n {meant[0]}`, or `minikctl ns {meant[0]}` for good"
