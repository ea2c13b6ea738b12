"""The objects that ``create``, ``run`` and ``expose`` form from a few words; nothing here asks a server."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets

from minikctl import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any


def named(api_version: str, kind: str, name: str, **fields: Any) -> dict[str, Any]:
    """Return an object of that name."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **fields}


def pairs(
    literals: Sequence[str], sources: Sequence[str], env_files: Sequence[str] = (), config_map: str = ""
) -> dict[str, bytes]:
    """Return the entries that --from-literal, --from-file and --from-env-file name.

    ``config_map`` is the name of the ConfigMap that they are for, "" for a Secret.

    ``UsageError`` in kubectl's words for a key that is there twice, or is none.
    """
    found: dict[str, bytes] = {}
    for key, value in _entries(literals, sources, env_files):
        _check_key(key, config_map)
        if key in found:
            twice = "another key by that name already exists"
            told = (
                f'"{key}", {twice} in Data for ConfigMap "{config_map}"' if config_map else f"{key}, {twice}"
            )
            raise errors.UsageError(f"error: cannot add key {told}")
        found[key] = value
    return found


def _check_key(key: str, config_map: str) -> None:
    from minikctl.model import names

    for fault in names.config_key(key):
        said = (
            "is not a valid key name for a ConfigMap:" if config_map else "is not valid key name for a Secret"
        )
        raise errors.UsageError(f'error: "{key}" {said} {fault}')


def _entries(
    literals: Sequence[str], sources: Sequence[str], env_files: Sequence[str]
) -> Iterator[tuple[str, bytes]]:
    if env_files and (sources or literals):
        raise errors.UsageError("error: from-env-file cannot be combined with from-file or from-literal")
    for source in sources:
        yield from _from_file(source).items()
    for literal in literals:
        key, equals, value = literal.partition("=")
        if not equals or not key:
            raise errors.UsageError(f"error: invalid literal source {literal}, expected key=value")
        yield key, value.encode()
    for path in env_files:
        for line in read(path).decode().splitlines():
            text = line.strip()
            if text and not text.startswith("#"):
                key, equals, value = text.partition("=")
                yield key, (value if equals else os.environ.get(key, "")).encode()


def _from_file(source: str) -> dict[str, bytes]:
    key, _, path = source.rpartition("=")
    if not os.path.isdir(path):
        return {key or os.path.basename(path): read(path)}
    names = (name for name in sorted(os.listdir(path)) if os.path.isfile(os.path.join(path, name)))
    return {name: read(os.path.join(path, name)) for name in names}


def read(path: str) -> bytes:
    """Return a file's content."""
    try:
        with open(path, "rb") as source:
            return source.read()
    except OSError as error:
        raise errors.UsageError(f"error: error reading {path}: {(error.strerror or '').lower()}") from error


def number(text: str, wrong: str) -> int:
    """Return a number; ``UsageError`` of the text ``wrong`` when it is none."""
    try:
        return int(text)
    except ValueError:
        raise errors.UsageError(f"error: {wrong}") from None


def labels(text: str) -> dict[str, str]:
    """Return the labels of ``KEY=VALUE,…``."""
    found = {}
    for part in filter(None, text.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise errors.UsageError(f"error: unexpected label spec: {part}")
        found[key] = value
    return found


def check_image(text: str) -> None:
    """Refuse what is no reference to an image.

    The form is that of https://github.com/distribution/reference: a host and a path of lower case, a tag, a digest.
    """
    host = r"(?:(?:[a-zA-Z0-9][a-zA-Z0-9.-]*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?/)?"
    part = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
    pattern = rf"{host}{part}(?:/{part})*(?::[\w][\w.-]{{0,127}})?(?:@[A-Za-z][\w.+-]*:[0-9a-fA-F]{{32,}})?"
    if not re.fullmatch(pattern, text, re.ASCII):
        raise errors.UsageError(f'error: invalid image name "{text}": invalid reference format')


def check_pull_policy(text: str, *, lists: bool = False) -> None:
    """Refuse what is no policy of pulling images; ``lists``: in the words that say which there are."""
    if text not in ("Always", "IfNotPresent", "Never"):
        known = ", valid values are: Always, IfNotPresent, Never" if lists else ""
        raise errors.UsageError(f"error: invalid image pull policy: {text}{known}")


def config_map(name: str, entries: dict[str, bytes]) -> dict[str, Any]:
    """Return a ConfigMap; what is no text becomes binaryData."""
    data: dict[str, str] = {}
    binary: dict[str, str] = {}
    for key, value in entries.items():
        try:
            data[key] = value.decode()
        except UnicodeDecodeError:
            binary[key] = base64.b64encode(value).decode()
    fields = {key: value for key, value in (("data", data), ("binaryData", binary)) if value}
    return named("v1", "ConfigMap", name, **fields)


def secret(name: str, entries: dict[str, bytes], kind: str = "") -> dict[str, Any]:
    """Return a Secret."""
    data = {key: base64.b64encode(value).decode() for key, value in entries.items()}
    fields = {key: value for key, value in (("data", data), ("type", kind)) if value}
    return named("v1", "Secret", name, **fields)


def registry_secret(name: str, server: str, user: str, password: str, email: str) -> dict[str, Any]:
    """Return a Secret that images are pulled with."""
    entry = {"username": user, "password": password}
    if email:
        entry["email"] = email
    entry["auth"] = base64.b64encode(f"{user}:{password}".encode()).decode()
    content = json.dumps({"auths": {server: entry}}, separators=(",", ":")).encode()
    return secret(name, {".dockerconfigjson": content}, "kubernetes.io/dockerconfigjson")


def deployment(
    name: str, images: Sequence[str], replicas: int, port: int, command: Sequence[str]
) -> dict[str, Any]:
    """Return a Deployment with a container for each image."""
    if len(images) > 1 and command:
        raise errors.UsageError("error: cannot specify multiple --image options and command")
    labels = {"app": name}
    containers = [_container(image, port, command) for image in images]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "strategy": {},
        "template": template,
    }
    found = named("apps/v1", "Deployment", name, spec=spec, status={})
    found["metadata"]["labels"] = labels
    return found


def _container(image: str, port: int, command: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"name": _container_name(image), "image": image, "resources": {}}
    if port > 0:
        found["ports"] = [{"containerPort": port}]
    if command:
        found["command"] = list(command)
    return found


def _container_name(image: str) -> str:
    """Return the image's own name; where that could be no container's, one made of it and letters by chance.

    Source: ``sanitizeAndUniquify`` of kubectl's ``create deployment``.
    """
    name = image.rpartition("/")[2].partition("@")[0].partition(":")[0]
    if "_" not in name and "." not in name:
        return name
    return f"{name.replace('_', '-').replace('.', '-')}-{chance()}"


def chance() -> str:
    """Return five letters and digits by chance that spell no word: what makes a name one of its own."""
    from minikctl.model import names

    return names.generated("", secrets.token_bytes(5))


def service(name: str, kind: str, ports: Sequence[str], **spec: Any) -> dict[str, Any]:
    """Return a Service of pods labelled ``app: NAME``."""
    if not ports and kind != "ExternalName" and spec.get("clusterIP") != "None":
        raise errors.UsageError("error: at least one tcp port specifier must be provided")
    node_port = spec.pop("nodePort", 0)
    entries = [_service_port(text, node_port) for text in ports]
    fields: dict[str, Any] = {"type": kind, "selector": {"app": name}, **spec}
    if entries:
        fields["ports"] = entries
    found = named("v1", "Service", name, spec=fields, status={"loadBalancer": {}})
    found["metadata"]["labels"] = {"app": name}
    return found


def _service_port(text: str, node_port: int) -> dict[str, Any]:
    port, _, target = text.partition(":")
    if not port.isdigit():
        raise errors.UsageError(f'error: strconv.ParseUint: parsing "{port}": invalid syntax')
    found: dict[str, Any] = {"name": text.replace(":", "-"), "port": int(port), "protocol": "TCP"}
    found["targetPort"] = int(target) if target.isdigit() else (target or int(port))
    if node_port:
        found["nodePort"] = node_port
    return found


def ingress(name: str, rules: Sequence[str], ingress_class: str, default: str) -> dict[str, Any]:
    """Return an Ingress from ``HOST/PATH=SERVICE:PORT[,tls[=SECRET]]`` rules."""
    if not rules and not default:
        raise errors.UsageError(
            "error: not enough information provided: every ingress has to either specify a default-backend "
            "(which catches all traffic) or a list of rules (which catch specific paths)"
        )
    spec: dict[str, Any] = {"ingressClassName": ingress_class} if ingress_class else {}
    if default and default.count(":") != 1:
        raise errors.UsageError("error: default-backend should be in format servicename:serviceport")
    if default:
        spec["defaultBackend"] = _backend(default)
    hosts: dict[str, list[dict[str, Any]]] = {}
    tls: dict[str, list[str]] = {}
    for rule in rules:
        place, equals, target = rule.partition("=")
        if not equals or ":" not in target:
            raise errors.UsageError(
                f"error: rule {rule} is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]"
            )
        host, _, path = place.partition("/")
        backend, _, options = target.partition(",")
        kind = "Prefix" if path.endswith("*") else "Exact"
        entry = {"path": "/" + path.removesuffix("*"), "pathType": kind, "backend": _backend(backend)}
        hosts.setdefault(host, []).append(entry)
        if options.startswith("tls"):
            tls.setdefault(options.partition("=")[2], []).append(host)
    if hosts:
        spec["rules"] = [_rule(host, paths) for host, paths in hosts.items()]
    if tls:
        spec["tls"] = [_tls(key, found) for key, found in tls.items()]
    return named("networking.k8s.io/v1", "Ingress", name, spec=spec, status={"loadBalancer": {}})


def _rule(host: str, paths: list[dict[str, Any]]) -> dict[str, Any]:
    return {**({"host": host} if host else {}), "http": {"paths": paths}}


def _tls(key: str, hosts: list[str]) -> dict[str, Any]:
    return {"hosts": hosts, **({"secretName": key} if key else {})}


def _backend(text: str) -> dict[str, Any]:
    name, _, port = text.partition(":")
    return {"service": {"name": name, "port": {"number": int(port)} if port.isdigit() else {"name": port}}}
