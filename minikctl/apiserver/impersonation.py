"""Acting as somebody else: the Impersonate-* headers, each of which has to be allowed.

The order of checks and the words are those of Kubernetes' impersonation filter.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator, Sequence

from minikctl import errors
from minikctl.apiserver import attributes
from minikctl.apiserver.attributes import Attributes
from minikctl.apiserver.auth import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, User
from minikctl.apiserver.authorization import Authorize

_USER, _GROUP, _UID, _EXTRA = (
    "impersonate-user",
    "impersonate-group",
    "impersonate-uid",
    "impersonate-extra-",
)
_ACCOUNT = "system:serviceaccount:"
_AUTHENTICATION = "authentication.k8s.io"


def assumed(user: User, headers: Sequence[tuple[str, str]], authorize: Authorize) -> User:
    """Return whom the request is to be made as: the user themselves unless headers say otherwise.

    ``headers`` may repeat; their names are in lower case.
    """
    given = [(name, value) for name, value in headers if name.startswith("impersonate-")]
    if not given:
        return user
    name = next((value for key, value in given if key == _USER), "")
    groups = [value for key, value in given if key == _GROUP]
    uid = next((value for key, value in given if key == _UID), "")
    extra: dict[str, tuple[str, ...]] = {}
    for key, value in given:
        if key.startswith(_EXTRA):
            word = urllib.parse.unquote(key.removeprefix(_EXTRA))
            extra[word] = (*extra.get(word, ()), value)
    if not name:
        if groups or uid or extra:
            text = "requested groups, uid or extra without impersonating a user name"
            raise errors.StatusError(500, "InternalError", f"Internal error occurred: {text}")
        return user
    wanted = User(name, tuple(groups), uid, extra)
    for asked in _checks(wanted):
        decision = authorize(user, asked)
        if not decision.allowed:
            raise attributes.refusal(user, asked, decision.reason)
    return User(name, _complete(wanted), uid, extra)


def _checks(wanted: User) -> Iterator[Attributes]:
    namespace, _, account = wanted.name.removeprefix(_ACCOUNT).partition(":")
    if wanted.name.startswith(_ACCOUNT) and account:
        yield Attributes("impersonate", "", "v1", "serviceaccounts", "", namespace, account)
    else:
        yield Attributes("impersonate", "", "v1", "users", name=wanted.name)
    for group in wanted.groups:
        yield Attributes("impersonate", "", "v1", "groups", name=group)
    for key, values in wanted.extra.items():
        for value in values:
            yield Attributes("impersonate", _AUTHENTICATION, "v1", "userextras", key, name=value)
    if wanted.uid:
        yield Attributes("impersonate", _AUTHENTICATION, "v1", "uids", name=wanted.uid)


def _complete(wanted: User) -> tuple[str, ...]:
    """Return the groups that the name brings along, besides those that were asked for."""
    groups = wanted.groups
    namespace, _, account = wanted.name.removeprefix(_ACCOUNT).partition(":")
    if wanted.name.startswith(_ACCOUNT) and account and not groups:
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    own = UNAUTHENTICATED if wanted.name == ANONYMOUS.name else AUTHENTICATED
    if own in groups or UNAUTHENTICATED in groups:
        return groups
    return (*groups, own)
