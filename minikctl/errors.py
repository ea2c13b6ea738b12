"""Every error that crosses a package boundary.

``StatusError`` mirrors ``metav1.Status``: the API server raises it, the wire carries it, clients raise it
again.  The other classes are failures of the world below the API (engine, network tools, store).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


class MinikctlError(Exception):
    """The root of all errors that are reported to a user without a traceback."""


class UsageError(MinikctlError):
    """The user's command line or environment cannot be acted on."""


class StatusError(MinikctlError):
    """An API failure that carries ``metav1.Status``.

    ``causes`` are ``metav1.StatusCause`` objects: ``{"reason", "message", "field"}``.
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details: dict[str, Any] = dict(details or {})
        self.metadata: dict[str, Any] = {}
        """metav1.ListMeta: an expired list says with it how to go on."""
        self.allowed: tuple[str, ...] = ()
        """The methods that a refused one could have been."""
        self.elsewhere = ""
        """Where there is what was not found."""

    def status(self) -> dict[str, Any]:
        """Return the ``metav1.Status`` object of this failure."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.metadata,
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details:
            body["details"] = self.details
        return body

    def has_cause(self, reason: str) -> bool:
        """Tell whether one of the causes has that reason."""
        return any(cause.get("reason") == reason for cause in self.details.get("causes") or ())

    @classmethod
    def from_status(cls, status: Mapping[str, Any]) -> StatusError:
        """Return the error that a ``metav1.Status`` object describes."""
        return cls(
            int(status.get("code") or 500),
            str(status.get("reason") or ""),
            str(status.get("message") or "unknown error"),
            details=status.get("details") or {},
        )


def qualified(resource: str, group: str) -> str:
    """Return ``deployments.apps`` or, for the core group, ``pods``."""
    return f"{resource}.{group}" if group else resource


def _details(name: str, group: str, kind: str, causes: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "group": group, "kind": kind, "causes": [dict(c) for c in causes]}
    return {key: value for key, value in found.items() if value}


def not_found(resource: str, group: str, name: str) -> StatusError:
    """404: the named object does not exist."""
    message = f'{qualified(resource, group)} "{name}" not found'
    return StatusError(404, "NotFound", message, details=_details(name, group, resource))


def already_exists(resource: str, group: str, name: str) -> StatusError:
    """409: an object of that name exists."""
    message = f'{qualified(resource, group)} "{name}" already exists'
    return StatusError(409, "AlreadyExists", message, details=_details(name, group, resource))


def conflict(resource: str, group: str, name: str, cause: str) -> StatusError:
    """409: the object changed since it was read, or a precondition failed."""
    message = f'Operation cannot be fulfilled on {qualified(resource, group)} "{name}": {cause}'
    return StatusError(409, "Conflict", message, details=_details(name, group, resource))


def invalid(kind: str, group: str, name: str, causes: Sequence[Mapping[str, Any]]) -> StatusError:
    """422: the object breaks rules; each cause is ``{"reason", "message", "field"}``."""
    texts = [f"{cause['field']}: {cause['message']}" for cause in causes]
    joined = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    message = f'{qualified(kind, group)} "{name}" is invalid: {joined}'
    return StatusError(422, "Invalid", message, details=_details(name, group, kind, causes))


def bad_request(message: str) -> StatusError:
    """400: the request itself makes no sense."""
    return StatusError(400, "BadRequest", message)


def unauthorized() -> StatusError:
    """401: no valid credentials."""
    return StatusError(401, "Unauthorized", "Unauthorized")


def forbidden(resource: str, group: str, name: str, cause: str) -> StatusError:
    """403: admission refused the request."""
    message = f'{qualified(resource, group)} "{name}" is forbidden: {cause}'
    return StatusError(403, "Forbidden", message, details=_details(name, group, resource))


def expired(message: str) -> StatusError:
    """410: the asked-for revision was compacted away."""
    return StatusError(410, "Expired", message)


class ActionFailed(MinikctlError):
    """One action of a plan failed with ``error``; the actions after it were not tried."""

    def __init__(self, action: object, error: Exception) -> None:
        super().__init__(str(error))
        self.action = action
        self.error = error


class StoreError(MinikctlError):
    """The store cannot do its work (disk full, damaged file)."""


class DriverError(MinikctlError):
    """An effect on the world failed; ``output`` is what the tool or engine said, word for word."""

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output


class EngineUnavailable(DriverError):
    """No Docker engine answers."""


class NetworkUnready(DriverError):
    """An engine answers, but nothing can connect pods; the message is what a kubelet says of it."""


class ImageMissing(DriverError):
    """The image is neither present nor can it be pulled; the message says why."""


class PortTaken(DriverError):
    """A host port that must be published is in use."""


class NoSctp(DriverError):
    """A port of SCTP is to be published by an engine on whose machine nothing can listen on one."""


class PrivilegedPort(DriverError):
    """A rootless engine may not publish a port as low as that; ``lowest`` is the first that it may."""

    def __init__(self, message: str, output: str = "", lowest: int = 1024) -> None:
        super().__init__(message, output)
        self.lowest = lowest


class NoSuchContainer(DriverError):
    """The container is gone."""
