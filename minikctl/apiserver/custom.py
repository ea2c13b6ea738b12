"""Custom kinds as the API serves them: the table follows the definitions that are established."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from minikctl.apiserver import cache, feed
from minikctl.apiserver.patching import copied
from minikctl.apiserver.webhook_client import WebhookClient
from minikctl.model import kinds, objects
from minikctl.model.custom import lifecycle
from minikctl.model.kind import Kind, Versions
from minikctl.model.objects import Object
from minikctl.runtime.served import Served

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Made:
    """The kinds of one definition, and what they were made from."""

    source: tuple[Any, ...]
    kinds: tuple[Kind, ...]


class CustomKinds:
    """Keeps ``served`` in step with the definitions in the feed; ``start`` when the feed has loaded."""

    def __init__(self, source: feed.Feed, served: Served, webhooks: WebhookClient) -> None:
        self._feed = source
        self._served = served
        self._webhooks = webhooks
        self._base = served.table
        self._made: dict[str, _Made] = {}

    def start(self) -> None:
        """Serve what is established, and follow from here on."""
        found = self._feed.collection(kinds.CUSTOM_RESOURCE_DEFINITION).entries()
        if sum(self._take(entry.object) for entry in found):
            self._swap()
        self._feed.observe(kinds.CUSTOM_RESOURCE_DEFINITION, self._follow)

    def _follow(self, change: cache.Change) -> None:
        changed = self._take(change.new.object) if change.new else self._drop(change.last.key[1])
        if changed:
            self._swap()

    def _swap(self) -> None:
        custom = [kind for name in sorted(self._made) for kind in self._made[name].kinds]
        self._served.swap(self._base.with_custom(custom))

    def _take(self, crd: Object) -> bool:
        """Make the kinds of a definition; return whether anything is different now."""
        name = objects.name(crd)
        if not lifecycle.has_condition(crd, lifecycle.ESTABLISHED):
            return self._drop(name)
        status = objects.status(crd)
        source = (
            objects.uid(crd),
            objects.is_deleting(crd),
            objects.spec(crd),
            status.get("acceptedNames"),
            status.get("storedVersions"),
        )
        before = self._made.get(name)
        if before is not None and before.source == source:
            return False
        from minikctl.model.custom import definition  # not before there is any custom kind

        try:
            versions = self._versions(crd)
            made = _Made(source, tuple(definition.kinds(crd, versions)))
        except Exception:  # what another release stored must not end the feed
            logger.exception("the custom kind %s cannot be served", name)
            return self._drop(name)
        if versions is not None:
            versions.kinds.update((kind.api_version, kind) for kind in made.kinds)
        self._made[name] = made
        self._recast(made, fresh=before is None)
        return True

    def _versions(self, crd: Object) -> Versions | None:
        from minikctl.model.custom import definition, versions

        if not definition.are_several(crd):
            return None
        strategy = (objects.spec(crd).get("conversion") or {}).get("strategy")
        if strategy == "Webhook":
            from minikctl.apiserver import converting

            return converting.WebhookVersions(crd, self._webhooks)
        return versions.SameFields(definition.storage_kind(crd))

    def _recast(self, made: _Made, *, fresh: bool) -> None:
        """Complete what is kept by the present schema, and have those who watch begin anew."""
        by_version = {kind.api_version: kind for kind in made.kinds}
        if not made.kinds:
            return
        collection = self._feed.collection(made.kinds[0])

        def completed(obj: Object) -> Object:
            kind = by_version.get(str(obj.get("apiVersion")))
            if kind is None or kind.shape is None:
                return obj
            new = copied(obj)
            kind.shape.apply_defaults(new)
            return obj if new == obj else new

        collection.recast(completed)
        if not fresh:
            collection.restart()

    def _drop(self, name: str) -> bool:
        made = self._made.pop(name, None)
        if made is None:
            return False
        for kind in made.kinds:
            self._feed.collection(kind).restart()
        return True
