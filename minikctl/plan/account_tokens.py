"""Secrets of type service-account-token: filled with a token that lasts as they do, gone with the account."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from minikctl.model import kinds, objects
from minikctl.model.actions.api import Delete, Patch, Plan
from minikctl.model.objects import Object

TYPE = "kubernetes.io/service-account-token"
ACCOUNT = "kubernetes.io/service-account.name"
ACCOUNT_UID = "kubernetes.io/service-account.uid"
_TOKEN, _CA, _NAMESPACE = "token", "ca.crt", "namespace"


@dataclass(frozen=True)
class View:
    """Such a Secret, the account that it names (None: there is none), a token for it, and the CA as PEM text.

    ``token`` is "" where the Secret has one.
    """

    object: Object
    account: Object | None
    token: str
    ca: str


def account_of(secret: Object) -> str:
    """Return the name of the account that a Secret is a token of, "" for any other Secret."""
    return objects.annotations(secret).get(ACCOUNT, "") if secret.get("type") == TYPE else ""


def lacks_token(secret: Object) -> bool:
    """Tell whether a Secret has yet to get its token."""
    return not (secret.get("data") or {}).get(_TOKEN)


def desired(view: View, now: datetime) -> Plan:  # noqa: ARG001 - every planner is asked with the time
    """Return the filling of what is missing; a Secret whose account is not, or not any more, there goes."""
    secret, account = view.object, view.account
    if objects.is_deleting(secret):
        return Plan()
    namespace, name = objects.key(secret)
    known = objects.annotations(secret).get(ACCOUNT_UID)
    if account is None or (known and known != objects.uid(account)):
        return Plan((Delete(kinds.SECRET, namespace, name, uid=objects.uid(secret)),))
    present = secret.get("data") or {}
    wanted = {_CA: view.ca, _NAMESPACE: namespace, **({_TOKEN: view.token} if view.token else {})}
    missing = {key: text for key, value in wanted.items() if present.get(key) != (text := _encoded(value))}
    body: dict[str, Any] = {"data": missing} if missing else {}
    if not known:
        body["metadata"] = {"annotations": {ACCOUNT_UID: objects.uid(account)}}
    return Plan((Patch(kinds.SECRET, namespace, name, body),)) if body else Plan()


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
