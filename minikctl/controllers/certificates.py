"""Sign approved CertificateSigningRequests."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from minikctl.controllers import base
from minikctl.model import kinds, objects, signing
from minikctl.model.actions.api import Plan
from minikctl.model.objects import Key
from minikctl.plan import certificates as plan
from minikctl.runtime import clock as clocks
from minikctl.runtime.executor import ApiExecutor


class Authority(Protocol):
    """The cluster's certificate authority."""

    def asked(self, pem: bytes) -> signing.Asked:
        """Return what a PEM request asks for."""
        ...

    def sign(self, pem: bytes, usages: Sequence[str], seconds: int, now: datetime) -> bytes:
        """Return the certificate for a PEM request as PEM; ``seconds`` 0 is as long as it may last."""
        ...


class CertificateController(base.CachedController[plan.View]):
    """Key: ("", the request's name)."""

    name = "certificate signing"
    kind = kinds.CERTIFICATE_SIGNING_REQUEST
    reads = (kinds.CERTIFICATE_SIGNING_REQUEST,)

    def __init__(
        self, caches: base.Caches, executor: ApiExecutor, clock: clocks.Clock, authority: Authority
    ) -> None:
        super().__init__(caches, executor, clock)
        self._authority = authority

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow the requests."""
        base.on_change(self.caches.of(self.kind), base.own_key, enqueue)

    def view(self, key: Key) -> plan.View | None:
        """Return the request, and if it is to be signed, its certificate."""
        found = self.caches.of(self.kind).get(*key)
        if found is None or not plan.is_due(found):
            return None
        spec = objects.spec(found)
        pem = base64.b64decode(spec["request"])
        usages, seconds = spec.get("usages") or (), int(spec.get("expirationSeconds") or 0)
        made = self._authority.sign(pem, usages, seconds, self._clock.now())
        return plan.View(found, self._authority.asked(pem), base64.b64encode(made).decode())

    def desired(self, view: plan.View, now: datetime) -> Plan:
        """Return the plan."""
        return plan.desired(view, now)
