"""A container's environment: Services, envFrom, env, and ``$(NAME)`` in values, commands and arguments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan.pod import env_files, fields, resources, sources
from minikctl.plan.pod.problems import ConfigError
from minikctl.plan.pod.view import PodView

_REFERENCE = re.compile(r"\$(\$|\(([^)]*)\))")


def environment(view: PodView, container: Object, ip: str) -> dict[str, str]:
    """Return all variables by name: Services' first, overridden by envFrom, overridden by env."""
    services = service_variables(view)
    result: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        result |= _from_source(view, source)
    declared: dict[str, str] = {}
    for entry in container.get("env") or ():
        value = _value(view, container, entry, ip, services | declared)
        if value is not None:
            declared[str(entry["name"])] = value
    return services | result | declared


def _value(view: PodView, container: Object, entry: Object, ip: str, known: Mapping[str, str]) -> str | None:
    """Return a variable's value, None when its optional source is missing."""
    origin = entry.get("valueFrom") or {}
    if "fieldRef" in origin:
        return fields.read(view, str(origin["fieldRef"].get("fieldPath") or ""), ip)
    if "resourceFieldRef" in origin:
        return resources.field(view.pod or {}, container, origin["resourceFieldRef"], view.node)
    if "configMapKeyRef" in origin:
        return _keyed(view, sources.CONFIG_MAP, origin["configMapKeyRef"])
    if "secretKeyRef" in origin:
        return _keyed(view, sources.SECRET, origin["secretKeyRef"])
    if "fileKeyRef" in origin:
        return env_files.value(view, origin["fileKeyRef"])
    if origin:
        raise ConfigError(f"env {entry['name']}: valueFrom {next(iter(origin))} is not supported here")
    return expand(str(entry.get("value") or ""), known)


def _keyed(view: PodView, kind: sources.Source, reference: Object) -> str | None:
    name, key = str(reference.get("name") or ""), str(reference.get("key") or "")
    optional = bool(reference.get("optional"))
    found = kind.find(view, name)
    if found is None:
        if optional:
            return None
        raise ConfigError(f'{kind.word} "{name}" not found')
    values = kind.texts(found)
    if key in values:
        return values[key].decode(errors="replace")
    if optional:
        return None
    raise ConfigError(f"couldn't find key {key} in {kind.name} {view.namespace}/{name}")


def _from_source(view: PodView, source: Object) -> dict[str, str]:
    prefix = str(source.get("prefix") or "")
    for kind in (sources.CONFIG_MAP, sources.SECRET):
        reference = source.get(kind.env_from)
        if reference is None:
            continue
        found = kind.find(view, str(reference.get("name") or ""))
        if found is not None:
            values = kind.texts(found)
            return {prefix + key: value.decode(errors="replace") for key, value in values.items()}
        if not reference.get("optional"):
            raise ConfigError(f'{kind.word} "{reference.get("name")}" not found')
    return {}


def expand(text: str, known: Mapping[str, str]) -> str:
    """Return the text with ``$(NAME)`` replaced where NAME is known, and ``$$`` as ``$``."""

    def replaced(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        return known.get(match[2], match[0])

    return _REFERENCE.sub(replaced, text)


def service_variables(view: PodView) -> dict[str, str]:
    """Return the variables of the namespace's Services, if the pod wants links, and of ``kubernetes``."""
    links = objects.spec(view.pod or {}).get("enableServiceLinks") is not False
    chosen: dict[str, Object] = {}
    for service in view.services:
        name, namespace = objects.name(service), objects.namespace(service)
        if objects.spec(service).get("clusterIP") in (None, "", "None"):
            continue
        if namespace == "default" and name == "kubernetes":
            chosen.setdefault(name, service)
        elif namespace == view.namespace and links:
            chosen[name] = service
    result: dict[str, str] = {}
    for name in sorted(chosen):
        result |= _variables(name, objects.spec(chosen[name]))
    return result


def _variables(name: str, spec: Mapping[str, Any]) -> dict[str, str]:
    stem, address = _shout(name), str(spec["clusterIP"])
    ports: Iterable[Object] = spec.get("ports") or ()
    result = {f"{stem}_SERVICE_HOST": address}
    for index, port in enumerate(ports):
        number, protocol = str(port.get("port")), str(port.get("protocol") or "TCP")
        url = f"{protocol.lower()}://{address}:{number}"
        if index == 0:
            result |= {f"{stem}_SERVICE_PORT": number, f"{stem}_PORT": url}
        if port.get("name"):
            result[f"{stem}_SERVICE_PORT_{_shout(port['name'])}"] = number
        link = f"{stem}_PORT_{number}_{protocol.upper()}"
        result |= {
            link: url,
            f"{link}_PROTO": protocol.lower(),
            f"{link}_PORT": number,
            f"{link}_ADDR": address,
        }
    return result


def _shout(name: str) -> str:
    return name.upper().replace("-", "_").replace(".", "_")
