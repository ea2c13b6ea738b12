"""Keeps StatefulSets at their pods, claims and revisions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from minikctl.controllers import base
from minikctl.model import kinds, objects
from minikctl.model.actions.api import Plan
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Key, Object
from minikctl.plan import claims
from minikctl.plan.statefulset import parts, planner


class StatefulSetController(base.CachedController[parts.View]):
    """Key: a StatefulSet."""

    name = "statefulset"
    kind = kinds.STATEFUL_SET
    reads = (kinds.STATEFUL_SET, kinds.POD, kinds.CONTROLLER_REVISION, kinds.PERSISTENT_VOLUME_CLAIM)

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow StatefulSets, their pods and revisions, and the end of claims that a pod may wait for."""
        base.on_change(self.caches.of(kinds.STATEFUL_SET), base.own_key, enqueue)
        for kind in (kinds.POD, kinds.CONTROLLER_REVISION):
            base.on_change(self.caches.of(kind), base.owner_key(kinds.STATEFUL_SET), enqueue)
        adopters = base.adopter_keys(self.caches.of(kinds.STATEFUL_SET), base.selector_of)
        base.on_change(self.caches.of(kinds.POD), adopters, enqueue)

        def claim_changed(old: Object | None, new: Object | None) -> None:
            if old is not None and (new is None or objects.is_deleting(new)):
                for key in self._claiming(old):
                    enqueue(key)

        self.caches.of(kinds.PERSISTENT_VOLUME_CLAIM).subscribe(claim_changed)

    def _claiming(self, claim: Object) -> Iterator[Key]:
        """Yield the StatefulSets whose claims have names like this one."""
        for owner in self.caches.of(kinds.STATEFUL_SET).items(objects.namespace(claim)):
            if objects.name(claim).rpartition("-")[0].endswith(f"-{objects.name(owner)}"):
                yield objects.key(owner)

    def view(self, key: Key) -> parts.View | None:
        """Return the StatefulSet with all that is its own or could become so."""
        owner = self.caches.of(kinds.STATEFUL_SET).get(*key)
        if owner is None:
            return None
        selector = base.selector_of(owner)

        def mine(kind: Kind) -> Iterator[Object]:
            for each in self.caches.of(kind).items(key[0]):
                named = objects.name(each).startswith(f"{key[1]}-")
                if claims.is_owned(each, owner) or selector.matches(objects.labels(each)) or named:
                    yield each

        pods = tuple(pod for pod in mine(kinds.POD) if not _is_foreign(pod, owner))
        known = {}
        if objects.spec(owner).get("volumeClaimTemplates"):
            found = self.caches.of(kinds.PERSISTENT_VOLUME_CLAIM).items(key[0])
            known = {objects.name(claim): claim for claim in found}
        return parts.View(owner, pods, tuple(mine(kinds.CONTROLLER_REVISION)), known)

    def desired(self, view: parts.View, now: datetime) -> Plan:
        """Return the plan."""
        return planner.desired(view, now)

    def failed(self, view: parts.View, action: object, message: str, now: datetime) -> Plan:
        """Tell on the StatefulSet that a pod or claim was refused."""
        return planner.failed(view, action, message, now)


def _is_foreign(pod: Object, owner: Object) -> bool:
    controller = objects.controller_of(pod)
    return controller is not None and controller.get("uid") != objects.uid(owner)
