"""Keep the endpoints of Service ``kubernetes``, by which pods reach the API."""

from __future__ import annotations

from datetime import datetime

from minikctl.controllers import base
from minikctl.model import kinds
from minikctl.model.actions.api import Plan
from minikctl.model.objects import Key, Object
from minikctl.plan import api_endpoints as plan

_KEY: Key = (plan.NAMESPACE, plan.NAME)


class ApiEndpointsController(base.CachedController[plan.View]):
    """Key: that of Service ``kubernetes``."""

    name = "api endpoints"
    kind = kinds.SERVICE
    reads = (kinds.SERVICE, kinds.POD, kinds.ENDPOINTS, kinds.ENDPOINT_SLICE)

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow the Service, its endpoints and the relay's pods."""

        def named(old: Object | None, new: Object | None) -> None:
            found = (new or old or {}).get("metadata") or {}
            if (found.get("namespace"), found.get("name")) == _KEY:
                enqueue(_KEY)

        def pod(old: Object | None, new: Object | None) -> None:
            if plan.is_relay(new or old or {}):
                enqueue(_KEY)

        for kind in (kinds.SERVICE, kinds.ENDPOINTS, kinds.ENDPOINT_SLICE):
            self.caches.of(kind).subscribe(named)
        self.caches.of(kinds.POD).subscribe(pod)

    def view(self, key: Key) -> plan.View | None:
        """Return the Service with what is behind it."""
        service = self.caches.of(kinds.SERVICE).get(*key)
        if service is None:
            return None
        pods = self.caches.of(kinds.POD).items(plan.RELAY_NAMESPACE)
        return plan.View(
            service,
            tuple(pod for pod in pods if plan.is_relay(pod)),
            self.caches.of(kinds.ENDPOINTS).get(*key),
            self.caches.of(kinds.ENDPOINT_SLICE).get(*key),
        )

    def desired(self, view: plan.View, now: datetime) -> Plan:
        """Return the plan."""
        return plan.desired(view, now)
