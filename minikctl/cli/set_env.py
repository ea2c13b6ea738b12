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
                f'error: "{name}" is not a valid key name: a valid environment variable name must '
                "consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit "
                "(e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is "
                "'[-._a-zA-Z][-._a-zA-Z0-9]*')"
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


def listed(options: EnvOptions, found: Sequence[tuple[Target, dict[str, Any]]], session: Session) -> int:
    """Print the variables of the chosen containers; return the exit code."""
    from minikctl.cli import set_

    if options.output or options.template:
        raise errors.UsageError("error: --list and --output may not be specified together")
    sources = _Sources(session) if options.resolve else None
    failed = False
    for target, obj in found:
        for container in set_.containers_of(set_.pod_spec(target, obj), options.containers):
            session.io.say(f"# {obj['kind']} {target.name}, container {container['name']}")
            for entry in container.get("env") or ():
                try:
                    value = sources.value(entry, obj, container, target.namespace) if sources else None
                except errors.MinikctlError as error:
                    session.io.warn(f"error retrieving reference for {entry['name']}: {error}")
                    failed = True
                    value = None
                session.io.say(_described(entry) if value is None else f"{entry['name']}={value}")
    return 1 if failed else 0


def _described(entry: dict[str, Any]) -> str:
    """Return a variable with its value, or where that comes from."""
    source, name = entry.get("valueFrom") or {}, entry["name"]
    for key, word in (("configMapKeyRef", "configmap"), ("secretKeyRef", "secret")):
        if key in source:
            return f"# {name} from {word} {source[key].get('name')}, key {source[key].get('key')}"
    if "fieldRef" in source:
        return f"# {name} from field path {source['fieldRef'].get('fieldPath')}"
    if "resourceFieldRef" in source:
        return f"# {name} from resource field {source['resourceFieldRef'].get('resource')}"
    return f"{name}={entry.get('value', '')}"


class _Sources:
    """Reads what variables refer to, each ConfigMap and Secret once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[tuple[str, str, str], dict[str, Any]] = {}

    def value(
        self, entry: dict[str, Any], obj: dict[str, Any], container: dict[str, Any], namespace: str
    ) -> str | None:
        """Return the variable's value, None for what only a pod's own node knows."""
        import base64

        from minikctl.cli.output.describing import containers

        source = entry.get("valueFrom") or {}
        if "configMapKeyRef" in source:
            found = self._read("configmaps", source["configMapKeyRef"]["name"], namespace)
            return self._entry(found.get("data") or {}, source["configMapKeyRef"], "configmap")
        if "secretKeyRef" in source:
            found = self._read("secrets", source["secretKeyRef"]["name"], namespace)
            text = self._entry(found.get("data") or {}, source["secretKeyRef"], "secret")
            return base64.b64decode(text).decode(errors="replace")
        if "fieldRef" in source:
            return containers.field_at(str(source["fieldRef"].get("fieldPath", "")), obj)
        if "resourceFieldRef" in source:
            return containers.resource_of(str(source["resourceFieldRef"].get("resource", "")), container)
        return None

    @staticmethod
    def _entry(data: dict[str, str], reference: dict[str, Any], word: str) -> str:
        key = reference.get("key", "")
        if key not in data:
            raise errors.UsageError(f"key {key} not found in {word} {reference.get('name')}")
        return data[key]

    def _read(self, plural: str, name: str, namespace: str) -> dict[str, Any]:
        key = (plural, name, namespace)
        if key not in self._known:
            target = selection.Target(self._session.discovery.find(plural), name, namespace)
            self._known[key] = self._session.client.request("GET", target.path()).json()
        return self._known[key]


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
