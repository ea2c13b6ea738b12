"""Fill Secrets of type service-account-token."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from minikctl import errors
from minikctl.client import base as clients
from minikctl.controllers import base
from minikctl.model import kinds, objects
from minikctl.model.actions.api import Plan
from minikctl.model.objects import Key, Object
from minikctl.plan import account_tokens
from minikctl.runtime import clock as clocks
from minikctl.runtime.executor import ApiExecutor


class Tokens(Protocol):
    """Who issues tokens."""

    def lasting(self, account: Object, secret: Object) -> str:
        """Return a token of the account that is worth something as long as the Secret holds it."""
        ...


class AccountTokenController(base.ApiController[account_tokens.View]):
    """Key: a Secret."""

    name = "serviceaccount-token"
    kind = kinds.SECRET
    reads = (kinds.SECRET, kinds.SERVICE_ACCOUNT)

    def __init__(
        self,
        caches: base.Caches,
        executor: ApiExecutor,
        clock: clocks.Clock,
        client: clients.Client,
        given: tuple[Tokens, str],
    ) -> None:
        super().__init__(caches, executor, clock)
        self._client = client
        self._tokens, self._ca = given

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow such Secrets, and accounts that come and go."""

        def secret_changed(_: Object | None, new: Object | None) -> None:
            if new is not None and account_tokens.account_of(new):
                enqueue(objects.key(new))

        def account_changed(old: Object | None, new: Object | None) -> None:
            if old is not None and new is not None:
                return
            namespace, name = objects.key(new or old or {})
            for secret in self.caches.of(kinds.SECRET).items(namespace):
                if account_tokens.account_of(secret) == name:
                    enqueue(objects.key(secret))

        self.caches.of(kinds.SECRET).subscribe(secret_changed)
        self.caches.of(kinds.SERVICE_ACCOUNT).subscribe(account_changed)

    async def observe(self, key: Key) -> account_tokens.View | None:
        """Return the Secret with its account, for which the API is asked where the cache has none."""
        secret = self.caches.of(kinds.SECRET).get(*key)
        name = account_tokens.account_of(secret) if secret is not None else ""
        if secret is None or not name:
            return None
        account = self.caches.of(kinds.SERVICE_ACCOUNT).get(key[0], name) or await self._asked(key[0], name)
        token = ""
        if account is not None and account_tokens.lacks_token(secret):
            token = self._tokens.lasting(account, secret)
        return account_tokens.View(secret, account, token, self._ca)

    async def _asked(self, namespace: str, name: str) -> Object | None:
        try:
            return await self._client.get(kinds.SERVICE_ACCOUNT, name, namespace)
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
            return None

    def desired(self, view: account_tokens.View, now: datetime) -> Plan:
        """Return the plan."""
        return account_tokens.desired(view, now)
