"""Who is asking: what a request brings along to prove it, and the users that it can prove."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"


@dataclass(frozen=True)
class User:
    """An authenticated user, as Kubernetes' authentication.k8s.io UserInfo."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def info(self) -> dict[str, object]:
        """Return the user as UserInfo."""
        found: dict[str, object] = {"username": self.name, "uid": self.uid, "groups": list(self.groups)}
        found["extra"] = {key: list(values) for key, values in self.extra.items()}
        return {key: value for key, value in found.items() if value}


ADMIN = User("kubernetes-admin", (MASTERS, AUTHENTICATED))
ANONYMOUS = User("system:anonymous", (UNAUTHENTICATED,))
SELF = User("system:apiserver", (MASTERS, AUTHENTICATED))
"""The control plane's own parts, which call the API without HTTP."""


@dataclass(frozen=True)
class Credentials:
    """What a request brings along; names of headers are in lower case, the certificate is DER or None.

    The certificate was checked against the cluster's authority when the connection was made.
    """

    headers: Mapping[str, str]
    certificate: bytes | None = None

    def bearer(self) -> str:
        """Return the bearer token, "" without one."""
        scheme, _, given = self.headers.get("authorization", "").partition(" ")
        return given.strip() if scheme.lower() == "bearer" else ""


Authenticate = Callable[[Credentials], User | None]
"""Returns the user whom the credentials prove, None if they prove none."""


class TokenAuthenticator:
    """Knows the administrator's token; comparing takes the same time for every wrong one."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    def __call__(self, credentials: Credentials) -> User | None:
        """Return the administrator if the bearer token is theirs; without any, nobody is."""
        found = hmac.compare_digest(credentials.bearer().encode(), self._token)
        return ADMIN if found and self._token else None


def any_of(ways: Sequence[Authenticate]) -> Authenticate:
    """Return what tries one way after the other."""

    def authenticate(credentials: Credentials) -> User | None:
        return next((user for way in ways if (user := way(credentials)) is not None), None)

    return authenticate
