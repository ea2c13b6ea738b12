"""Environment variables for ``set env``: what to set, what to remove, and what comes from ConfigMaps and Secrets."""

from __future__ import annotations

import re

from minikctl import errors
from minikctl.cli import selection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from minikctl.cli.selection import Target
    from minikctl.cli.session import Session
    from minikctl.cli.set_ import EnvOptions

_NAME = re.compile(r"^[-._a-zA-Z][-._a-zA-Z0-9]*$")
_REFERENCES = {"ConfigMap": "configMapKeyRef", "Secret": "secretKeyRef"}


class Wanted:
    """Variables to set, in order, and names to remove."""

    def __init__(self, entries: list[dict[str, Any]], removed: set[str]) -> None:
        self.entries = entries
        self.removed = removed


def is_change(argument: str) -> bool:
    """Tell whether the argument is NAME=VALUE or NAME-."""
    return "=" in argument or (argument.endswith("-") and "/" not in argument)


def parse(words: Sequence[str]) -> Wanted:
    """Return what the words ask for; ``UsageError`` in kubectl's words for what is no variable."""
    entries: list[dict[str, Any]] = []
    removed: set[str] = set()
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            removed.add(word.removesuffix("-"))
            continue
        if not _NAME.match(name):
            raise errors.UsageError(
                f'error: "{name}" is not a valid environment variable name: a valid environment variable name must '
                "consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit"
            )
        entries.append({"name": name, "value": value})
    if twice := sorted(removed & {entry["name"] for entry in entries}):
        raise errors.UsageError(
            f'error: can not both modify and remove an environment variable in the same command: "{twice[0]}"'
        )
    return Wanted(entries, removed)


def from_source(options: EnvOptions, session: Session) -> list[dict[str, Any]]:
    """Return variables that refer to the keys of --from."""
    if not options.source:
        return []
    found: list[dict[str, Any]] = []
    for target in selection.parse([options.source], session.discovery, session.namespace):
        if target.resource.kind not in _REFERENCES:
            raise errors.UsageError(
                f"error: unsupported resource specified in --from: {target.resource.kind}"
            )
        obj = session.client.request("GET", target.path()).json()
        for key in sorted({**(obj.get("data") or {}), **(obj.get("binaryData") or {})}):
            if options.keys and key not in options.keys:
                continue
            name = re.sub(r"[^A-Z0-9_]", "_", key.upper())
            if name != key:
                session.io.warn(f"Warning: key {key} transferred to {name}")
            reference = {_REFERENCES[target.resource.kind]: {"name": target.name, "key": key}}
            found.append({"name": options.prefix + name, "valueFrom": reference})
    return found


def changer(
    wanted: Wanted, referred: list[dict[str, Any]], options: EnvOptions, session: Session
) -> Callable[[Target, dict[str, Any]], None]:
    """Return what changes the variables of an object's containers."""
    from minikctl.cli import set_

    def change(target: Target, obj: dict[str, Any]) -> None:
        chosen = set_.containers_of(set_.pod_spec(target, obj), options.containers)
        if not chosen:
            session.io.warn(
                f'Warning: {obj["kind"]}/{target.name} does not have any containers matching "{options.containers}"'
            )
        for container in chosen:
            if not options.overwrite:
                _refuse_present(container, wanted, target)
            entries = merged(container.get("env") or [], [*wanted.entries, *referred])
            entries = [entry for entry in entries if entry["name"] not in wanted.removed]
            if entries or "env" in container:
                container["env"] = entries

    return change


def _refuse_present(container: dict[str, Any], wanted: Wanted, target: Target) -> None:
    present = {entry["name"]: entry.get("value", "") for entry in container.get("env") or ()}
    for entry in wanted.entries:
        if entry["name"] in present:
            raise errors.UsageError(
                f"error: {target.resource.name}/{target.name} '{entry['name']}' already has a value "
                f"({present[entry['name']]}), and --overwrite is false"
            )


def merged(present: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the variables with the wanted ones in their places, new ones last."""
    new = {entry["name"]: entry for entry in wanted}
    taken = {entry["name"] for entry in present}
    kept = [new.get(entry["name"], entry) for entry in present]
    return kept + [entry for name, entry in new.items() if name not in taken]
