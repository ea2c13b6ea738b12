"""Custom kinds whose versions a webhook converts.  Fits ``model.kind.Versions``.

What was converted is kept for as long as it is likely to be read: watches and lists of many clients ask for
the same objects in the same version.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from minikctl import errors
from minikctl.apiserver.outbound import CallFailed
from minikctl.apiserver.webhook_client import WebhookClient
from minikctl.model import objects
from minikctl.model.custom import conversion, definition
from minikctl.model.kind import Kind
from minikctl.model.objects import Object

KEPT = 4096
"""So many converted objects at least are remembered."""
SECONDS = 30.0
"""The time that a webhook has for one review."""

_Known = dict[tuple[int, str], tuple[Object, Object]]


class WebhookVersions:
    """The versions of one definition; a changed definition gets another of these."""

    def __init__(self, crd: Object, client: WebhookClient) -> None:
        webhook = (objects.spec(crd).get("conversion") or {}).get("webhook") or {}
        self._config = webhook.get("clientConfig") or {}
        self._version = conversion.version(webhook.get("conversionReviewVersions") or ())
        self._kept_in = definition.storage_kind(crd)
        self._client = client
        self._known: _Known = {}
        self.kinds: dict[str, Kind] = {}

    def read(self, kind: Kind, kept: Object) -> Object:
        """Return a kept object in the version of ``kind``, for which ``prepare`` has been called."""
        if kept.get("apiVersion") == kind.api_version:
            return kept
        found = self._known.get((id(kept), kind.api_version))
        if found is None:
            raise _failed(kept, "failed: the object changed while it was converted")
        return found[1]

    async def keep(self, obj: Object) -> Object:
        """Return an object in the version in which it is kept."""
        if obj.get("apiVersion") == self._kept_in.api_version:
            return obj
        return (await self._convert(self._kept_in, [obj]))[0]

    async def prepare(self, kind: Kind, found: Sequence[Object]) -> None:
        """Have those converted that are not yet; one review for all."""
        wanted = kind.api_version
        lacking = [
            each
            for each in found
            if each.get("apiVersion") != wanted and (id(each), wanted) not in self._known
        ]
        if not lacking:
            return
        made = await self._convert(kind, lacking)
        # The kept object is remembered too: as long as it lives, nothing else has its id.
        for kept, new in zip(lacking, made, strict=True):
            self._known[id(kept), wanted] = (kept, new)
        surplus = len(self._known) - max(KEPT, len(found))
        if surplus > 0:
            needed = {id(each) for each in found}
            stale = [key for key in self._known if key[0] not in needed]
            for key in stale[:surplus]:
                del self._known[key]

    async def _convert(self, kind: Kind, found: Sequence[Object]) -> list[Object]:
        assert kind.shape is not None, "only custom kinds have versions"
        identity = str(uuid.uuid4())
        sent = conversion.review(found, kind.api_version, identity, self._version)
        try:
            answer = await self._client.call(self._config, sent, SECONDS)
        except CallFailed as error:
            raise _failed(found[0], f"failed: {error}") from error
        try:
            made = conversion.converted(answer, found, kind.api_version, identity, self._version)
        except conversion.InvalidAnswer as error:
            said = str(error)
            raise _failed(found[0], said if said.startswith("returned") else f"failed: {said}") from error
        for each in made:
            kind.shape.drop_unknown(each)
            kind.shape.apply_defaults(each)
        return made


def _failed(obj: Object, detail: str) -> errors.StatusError:
    kind = f"{obj.get('apiVersion')}, Kind={obj.get('kind')}"
    return errors.StatusError(500, "", f"conversion webhook for {kind} {detail}")
