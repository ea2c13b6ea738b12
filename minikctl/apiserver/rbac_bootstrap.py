"""Have the roles and bindings of the bootstrap policy in the API, and what is taken from them given back.

As in Kubernetes, an object whose annotation ``autoupdate`` is "false" is left as it is.
"""

from __future__ import annotations

import asyncio
import logging

from minikctl import errors
from minikctl.apiserver import rbac_policy
from minikctl.apiserver.registry import Registry
from minikctl.model import kinds, objects, rbac
from minikctl.model.objects import Object

logger = logging.getLogger(__name__)


async def reconcile(registry: Registry) -> None:
    """Make what is missing and complete what is there; nothing is written when all is right."""
    lacking = [
        change for wanted in rbac_policy.objects() if (change := _change(registry, wanted)) is not None
    ]
    # Together, so that they share the store's transactions.
    await asyncio.gather(*(_write(registry, obj) for obj in lacking))


def _change(registry: Registry, wanted: Object) -> Object | None:
    """Return what has to be written, None if nothing has."""
    kind = kinds.of(wanted)
    assert kind is not None
    try:
        present = registry.get(kind, *objects.key(wanted))
    except errors.StatusError:
        return wanted
    if objects.annotations(present).get(rbac_policy.AUTO_UPDATE) == "false":
        return None
    if "subjects" in wanted:
        found = present.get("subjects") or []
        added = [each for each in wanted["subjects"] if each not in found]
        return {**present, "subjects": [*found, *added]} if added else None
    rules = present.get("rules") or []
    added = rbac.compact(rbac.missing(rules, wanted.get("rules") or ()))
    return {**present, "rules": [*rules, *added]} if added else None


async def _write(registry: Registry, obj: Object) -> None:
    kind = kinds.of(obj)
    assert kind is not None
    namespace, name = objects.key(obj)
    try:
        if objects.resource_version(obj):
            await registry.update(kind, namespace, name, obj)
        else:
            await registry.create(kind, namespace, obj)
    except errors.StatusError as error:
        if error.reason not in ("AlreadyExists", "Conflict"):
            # A webhook of the user may stand in the way, and can only be removed once the API answers.
            logger.warning("%s %s could not be brought up to date: %s", kind.kind, name, error)
