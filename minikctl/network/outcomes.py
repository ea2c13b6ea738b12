"""What Services were told of their ports: the last word is true, also after a start of the control plane."""

from __future__ import annotations

from collections.abc import Collection

from minikctl.client.base import Client
from minikctl.model import kinds, objects
from minikctl.model.actions import api
from minikctl.model.objects import Object
from minikctl.plan import publisher
from minikctl.runtime.executor import Recorder


class Outcomes:
    """Records that ports could not be published, and once they all are, that they are.

    ``parts`` publish a Service's ports together: it is told that they are published when each part says so,
    of those that failed, and of all if it was a control plane before this one that told of a failure.
    """

    def __init__(self, client: Client, recorder: Recorder, parts: Collection[str]) -> None:
        self._client = client
        self._recorder = recorder
        self._parts = frozenset(parts)
        self._failing: dict[str, frozenset[str]] | None = None

    async def known(self) -> None:
        """Return once it is known what was told before; to be awaited before the others are called.

        Raises ``StatusError`` when the API refuses; the next call asks again.
        """
        if self._failing is not None:
            return
        told = (await self._client.list(kinds.EVENT, fields=f"source={publisher.COMPONENT}")).items
        if self._failing is None:
            self._failing = dict.fromkeys(publisher.failing(told), self._parts)

    def failed(self, part: str, event: api.RecordEvent) -> None:
        """Record the event: this part could not publish what it says."""
        before = self._all()
        uid = objects.uid(event.regarding)
        before[uid] = before.get(uid, frozenset()) | {part}
        self._recorder.record(event)

    def fine(self, part: str, service: Object) -> None:
        """Take note that the part publishes all that it is to publish of the Service."""
        before, uid = self._all(), objects.uid(service)
        if uid not in before:
            return
        before[uid] -= {part}
        if not before[uid]:
            del before[uid]
            self._recorder.record(publisher.published(service))

    def _all(self) -> dict[str, frozenset[str]]:
        if self._failing is None:
            raise RuntimeError("what was told before is not known yet")
        return self._failing
