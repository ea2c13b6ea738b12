"""Containers that are made while their sandbox starts, so that only their own start is left after it.

The engine makes a container that joins a sandbox as soon as that is made itself; it asks whether the sandbox
runs only when the container starts.  What was made ahead and turns out to be of no use is like any container
that was made and never started: it is taken away first.  Nobody remembers it beyond a crash.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from minikctl.model.actions.node import MakeContainer, RunContainer
from minikctl.model.containers import Container
from minikctl.model.objects import Object
from minikctl.plan.pod import fields
from minikctl.plan.pod.view import PodView


def key(name: str) -> tuple[str, str]:
    """Return the key under which a container of that name is made."""
    return ("make", name)


def without(view: PodView, name: str, found: Iterable[Container], sandbox: str) -> list[Container]:
    """Return the containers but the one that is being, or was, made ahead for the pod's present sandbox."""
    known = view.made.get(name)

    def is_ahead(container: Container) -> bool:
        if container.status != "created" or container.error or container.exit_code:
            return False
        if key(name) in view.busy:
            return True
        return known is not None and known.id == container.id and bool(sandbox) and known.sandbox == sandbox

    return [container for container in found if not is_ahead(container)]


def possible(container: Object, role: str, action: RunContainer) -> bool:
    """Tell whether all that the container is made of is known before its sandbox has an address.

    Sub-paths are looked up at the last moment, so that nobody changes them meanwhile.
    """
    return role != "ephemeral" and not action.sub_paths and not _asks_for_address(container)


def _asks_for_address(container: Object) -> bool:
    sources = ((entry.get("valueFrom") or {}).get("fieldRef") or {} for entry in container.get("env") or ())
    return any(source.get("fieldPath") in fields.ADDRESSES for source in sources)


def make(action: RunContainer, sandbox: str) -> MakeContainer:
    """Return what makes the container that the action is to start later."""
    return MakeContainer(action.container, sandbox, action.spec, action.files)


def used(view: PodView, action: RunContainer) -> RunContainer | None:
    """Return the action with what was made ahead for it; None if that was made for something else."""
    known = view.made.get(action.container)
    if known is None:
        return action
    return dataclasses.replace(action, made=known.id) if known.spec == action.spec else None
