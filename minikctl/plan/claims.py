"""Which objects belong to a controller: adopting orphans that match, releasing what matches no longer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from minikctl.model import objects
from minikctl.model.actions.api import Update
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object
from minikctl.model.selectors import Selector


@dataclass(frozen=True)
class Claims:
    """What a controller owns now, and what to write so that ownership follows its selector."""

    owned: tuple[Object, ...]
    actions: tuple[Update, ...]


def claim(
    owner: Object,
    selector: Selector,
    candidates: Iterable[Object],
    kind: Kind,
    accepts: Callable[[Object], bool] = lambda _: True,
) -> Claims:
    """Sort out the candidates; an owner that is being deleted keeps what it has and takes nothing more.

    What the selector matches, but the owner does not accept, counts as not matching.
    """
    owned: list[Object] = []
    actions: list[Update] = []
    deleting, uid = objects.is_deleting(owner), objects.uid(owner)
    for candidate in candidates:
        controller = objects.controller_of(candidate)
        matches = selector.matches(objects.labels(candidate)) and accepts(candidate)
        if controller is None:
            if matches and not deleting and not objects.is_deleting(candidate):
                actions.append(Update(kind, _adopted(candidate, owner)))
        elif controller.get("uid") == uid:
            if matches:
                owned.append(candidate)
            elif not deleting:
                actions.append(Update(kind, _released(candidate, owner)))
    return Claims(tuple(owned), tuple(actions))


def is_adoption(action: Update, owner: Object) -> bool:
    """Tell whether the action makes the object the owner's."""
    return is_owned(action.object, owner)


def is_owned(obj: Object, owner: Object) -> bool:
    """Tell whether the owner controls the object."""
    controller = objects.controller_of(obj)
    return controller is not None and controller.get("uid") == objects.uid(owner)


def _references(obj: Object) -> list[dict[str, Any]]:
    return list(objects.meta(obj).get("ownerReferences") or ())


def _with_references(obj: Object, references: list[dict[str, Any]]) -> Object:
    return {**obj, "metadata": {**objects.meta(obj), "ownerReferences": references}}


def _adopted(obj: Object, owner: Object) -> Object:
    return _with_references(obj, [*_references(obj), objects.owner_reference(owner)])


def _released(obj: Object, owner: Object) -> Object:
    kept = [each for each in _references(obj) if each.get("uid") != objects.uid(owner)]
    return _with_references(obj, kept)
