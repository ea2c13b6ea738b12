"""What objects were like: asked of a control plane that keeps its history, which is minikctl's own."""

from __future__ import annotations

from minikctl import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.selection import Target
    from minikctl.cli.session import Session

ROOT = "/minikctl/v1"
NO_HISTORY = "error: this server keeps no history: only minikctl's own control plane does"


def path(target: Target, what: str = "past") -> str:
    """Return the path under which a server tells what the target was like, or all that it was."""
    return f"{ROOT}/{what}{target.path()}"


def moment(text: str) -> dict[str, Any]:
    """Return the query that a --at value means: a revision, a time, or how long ago."""
    if text.isdecimal():
        return {"revision": text}
    if "T" in text or text.count("-") == 2:
        return {"at": text if "T" in text else f"{text}T00:00:00Z"}
    from datetime import UTC, datetime, timedelta

    from minikctl.cli import timespan

    then = datetime.now(UTC) - timedelta(seconds=timespan.seconds(text))
    return {"at": then.strftime("%Y-%m-%dT%H:%M:%SZ")}


def unknown(target: Target, session: Session) -> errors.UsageError:
    """Return what it means that the server does not know the path of the target's past."""
    if "minikctl" in session.client.request("GET", "/version").json()["gitVersion"]:
        return errors.UsageError(f'error: the server doesn\'t have a resource type "{target.resource.name}"')
    return errors.UsageError(NO_HISTORY)


def versions(target: Target, session: Session) -> list[dict[str, Any]]:
    """Return every kept version of an object, in order: revision, time, deleted, object."""
    try:
        answer = session.client.request("GET", path(target, "history")).json()
    except errors.StatusError as error:
        if error.code == 404:
            raise unknown(target, session) from None
        raise
    found: list[dict[str, Any]] = answer["items"]
    if not found:
        raise errors.not_found(target.resource.name, target.resource.group, target.name)
    return found


def version_at(target: Target, at: str, session: Session) -> dict[str, Any]:
    """Return the object as it was."""
    try:
        found: dict[str, Any] = session.client.request("GET", path(target), query=moment(at)).json()
    except errors.StatusError as error:
        if error.code == 404 and "requested resource" in error.message:
            raise unknown(target, session) from None
        raise
    return found
