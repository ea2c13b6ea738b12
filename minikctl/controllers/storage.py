"""Bind claims to volumes, say in which phase volumes are, and make the claims of ephemeral volumes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from minikctl.controllers import base
from minikctl.model import kinds, objects
from minikctl.model.actions.api import Plan
from minikctl.model.objects import Key, Object
from minikctl.plan.storage import claim, ephemeral, parts, volume
from minikctl.runtime import clock as clocks
from minikctl.runtime.executor import ApiExecutor


class ClaimController(base.CachedController[claim.View]):
    """Key: a claim.  One worker must do: two claims planned at once could choose the same volume."""

    name = "persistentvolumeclaim-binder"
    kind = kinds.PERSISTENT_VOLUME_CLAIM
    reads = (
        kinds.PERSISTENT_VOLUME_CLAIM,
        kinds.PERSISTENT_VOLUME,
        kinds.STORAGE_CLASS,
        kinds.POD,
        kinds.NODE,
    )

    def __init__(
        self, caches: base.Caches, executor: ApiExecutor, clock: clocks.Clock, directory: str = ""
    ) -> None:
        super().__init__(caches, executor, clock)
        self._directory = directory
        self._told = base.Told(caches.of(kinds.PERSISTENT_VOLUME_CLAIM))

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow claims and the pods that use them; each change of a volume or class may help any claim."""
        found = self.caches.of(kinds.PERSISTENT_VOLUME_CLAIM)
        base.on_change(found, base.own_key, enqueue)
        base.on_change(self.caches.of(kinds.POD), _used_by, enqueue)

        def changed(old: Object | None, new: Object | None) -> None:
            reference = objects.spec(new or old or {}).get("claimRef")
            if reference:
                enqueue((str(reference.get("namespace")), str(reference.get("name"))))
            if old is not None and new is not None and old.get("status") == new.get("status"):
                return
            for each in found.items():
                if parts.BIND_COMPLETED not in objects.annotations(each):
                    enqueue(objects.key(each))

        self.caches.of(kinds.PERSISTENT_VOLUME).subscribe(changed)
        self.caches.of(kinds.STORAGE_CLASS).subscribe(changed)

    def view(self, key: Key) -> claim.View | None:
        """Return the claim with all that it could be bound to."""
        found = self.caches.of(kinds.PERSISTENT_VOLUME_CLAIM).get(*key)
        if found is None:
            return None
        pods = [
            pod
            for pod in self.caches.of(kinds.POD).items(key[0])
            if any(each.claim == key[1] for each in parts.references(pod))
        ]
        return claim.View(
            found,
            tuple(self.caches.of(kinds.PERSISTENT_VOLUME).items()),
            {objects.name(each): each for each in self.caches.of(kinds.STORAGE_CLASS).items()},
            tuple(pods),
            {objects.name(each): each for each in self.caches.of(kinds.NODE).items()},
            self._told.of(found),
            self._directory,
        )

    def desired(self, view: claim.View, now: datetime) -> Plan:
        """Return the plan."""
        return claim.desired(view, now)

    async def execute(self, view: claim.View, plan: Plan) -> None:
        """Carry out the plan; what was told of a claim is not told again."""
        await super().execute(view, plan)
        self._told.add(view.object, plan)


class VolumeController(base.CachedController[volume.View]):
    """Key: a volume."""

    name = "persistentvolume-phases"
    kind = kinds.PERSISTENT_VOLUME
    reads = (kinds.PERSISTENT_VOLUME, kinds.PERSISTENT_VOLUME_CLAIM)

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow volumes and the claims whose names they bear."""
        volumes = self.caches.of(kinds.PERSISTENT_VOLUME)
        base.on_change(volumes, base.own_key, enqueue)

        def claim_changed(old: Object | None, new: Object | None) -> None:
            key = objects.key(new or old or {})
            for each in volumes.items():
                reference = objects.spec(each).get("claimRef") or {}
                if (reference.get("namespace"), reference.get("name")) == key:
                    enqueue(objects.key(each))

        self.caches.of(kinds.PERSISTENT_VOLUME_CLAIM).subscribe(claim_changed)

    def view(self, key: Key) -> volume.View | None:
        """Return the volume and its claim."""
        found = self.caches.of(kinds.PERSISTENT_VOLUME).get(*key)
        if found is None:
            return None
        reference = objects.spec(found).get("claimRef") or {}
        name = str(reference.get("namespace") or ""), str(reference.get("name") or "")
        return volume.View(found, self.caches.of(kinds.PERSISTENT_VOLUME_CLAIM).get(*name))

    def desired(self, view: volume.View, now: datetime) -> Plan:
        """Return the plan."""
        return volume.desired(view, now)


class EphemeralVolumeController(base.CachedController[ephemeral.View]):
    """Key: a pod."""

    name = "ephemeral-volume"
    kind = kinds.POD
    reads = (kinds.POD, kinds.PERSISTENT_VOLUME_CLAIM)

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow pods that have such volumes."""

        def keys(pod: Object) -> Iterator[Key]:
            if any("ephemeral" in each for each in objects.spec(pod).get("volumes") or ()):
                yield objects.key(pod)

        base.on_change(self.caches.of(kinds.POD), keys, enqueue)

    def view(self, key: Key) -> ephemeral.View | None:
        """Return the pod, and the claims of its namespace."""
        found = self.caches.of(kinds.POD).get(*key)
        if found is None:
            return None
        claims = self.caches.of(kinds.PERSISTENT_VOLUME_CLAIM).items(key[0])
        return ephemeral.View(found, {objects.name(each): each for each in claims})

    def desired(self, view: ephemeral.View, now: datetime) -> Plan:
        """Return the plan."""
        return ephemeral.desired(view, now)

    def failed(self, view: ephemeral.View, action: object, message: str, now: datetime) -> Plan:
        """Tell on the pod that its claim was refused."""
        return ephemeral.failed(view, action, message, now)


def _used_by(pod: Object) -> Iterator[Key]:
    for each in parts.references(pod):
        yield objects.namespace(pod), each.claim
