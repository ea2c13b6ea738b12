"""The spec of a pod, in a Pod or in a template: defaults and rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from minikctl.model import causes, metadata, names, objects
from minikctl.model.kind import Cause
from minikctl.model.validation import addresses, affinity, containers, podlevel, resources, security, volumes

NAMESERVERS_LIMIT = 3
SEARCHES_LIMIT = 32
SEARCH_LENGTH_LIMIT = 2048
HOSTNAME_LIMIT = 64

Spec = dict[str, Any]


def default(spec: Spec) -> None:
    """Complete the spec: pull policies, host ports, volumes without a source, the account's two names."""
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for volume in spec.get("volumes") or ():
        if set(volume) <= {"name"}:
            volume["emptyDir"] = {}
        if image := volume.get("image"):
            image.setdefault("pullPolicy", pull_policy(image.get("reference") or ""))
    for container in (*every_container(spec), *(spec.get("ephemeralContainers") or ())):
        container.setdefault("imagePullPolicy", pull_policy(container.get("image") or ""))
        for port in container.get("ports") or ():
            if spec.get("hostNetwork") and not port.get("hostPort") and "containerPort" in port:
                port["hostPort"] = port["containerPort"]


def pull_policy(image: str) -> str:
    """Return what Kubernetes does by default: Always for the tag ``latest`` or none, else IfNotPresent."""
    if "@" in image:
        return "IfNotPresent"
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return "IfNotPresent" if colon and tag != "latest" else "Always"


def every_container(spec: Spec) -> list[dict[str, Any]]:
    """Return init containers and containers."""
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def validate_template(template: dict[str, Any], path: str) -> list[Cause]:
    """Return what is wrong with a pod template."""
    return [*validate_metadata(template, path), *validate(objects.spec(template), f"{path}.spec")]


def validate_metadata(template: dict[str, Any], path: str) -> list[Cause]:
    """Return what is wrong with a pod template's labels and annotations."""
    meta = objects.meta(template)
    return [
        *metadata.labels(meta.get("labels") or {}, f"{path}.metadata.labels"),
        *metadata.annotation_map(dict(meta), f"{path}.metadata.annotations"),
    ]


def validate(spec: Spec, path: str, name: str = "") -> list[Cause]:
    """Return what is wrong with the spec; ``name`` is the pod's, where that is one and no template."""
    return [
        *volumes.validate(spec.get("volumes") or (), f"{path}.volumes", name),
        *containers.validate(spec, path),
        *security.pod(spec, path),
        *affinity.validate(spec.get("affinity") or {}, f"{path}.affinity"),
        *_dns(spec, path),
        *_gates(spec, path),
        *affinity.spread(spec.get("topologySpreadConstraints") or (), f"{path}.topologySpreadConstraints"),
        *_named(spec, path),
        *tolerations(spec.get("tolerations") or (), f"{path}.tolerations"),
        *_aliases(spec.get("hostAliases") or (), f"{path}.hostAliases"),
        *podlevel.validate(spec, f"{path}.resources"),
        *resources.validate({"limits": spec.get("overhead") or {}}, f"{path}.overhead"),
        *security.system(spec, _with_paths(spec, path), path),
    ]


def _with_paths(spec: Spec, path: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{path}.{field}[{index}]", each)
        for field in ("initContainers", "containers", "ephemeralContainers")
        for index, each in enumerate(spec.get(field) or ())
    ]


def _gates(spec: Spec, path: str) -> Iterator[Cause]:
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        condition = str(gate.get("conditionType") or "")
        for fault in names.qualified_name(condition):
            yield causes.invalid(f"{path}.readinessGates[{index}].conditionType", condition, fault)
    seen: set[str] = set()
    for index, gate in enumerate(spec.get("schedulingGates") or ()):
        name, where = str(gate.get("name") or ""), f"{path}.schedulingGates[{index}]"
        for fault in names.qualified_name(name):
            yield causes.invalid(where, name, fault)
        if name in seen:
            yield causes.duplicate(where, name)
        seen.add(name)


def _dns(spec: Spec, path: str) -> Iterator[Cause]:
    config = spec.get("dnsConfig")
    servers = (config or {}).get("nameservers") or []
    if spec.get("dnsPolicy") == "None":
        if config is None:
            yield causes.required(f"{path}.dnsConfig", "must provide `dnsConfig` when `dnsPolicy` is None")
        elif not servers:
            detail = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            yield causes.required(f"{path}.dnsConfig.nameservers", detail)
    if len(servers) > NAMESERVERS_LIMIT:
        detail = f"must not have more than {NAMESERVERS_LIMIT} nameservers"
        yield causes.invalid(f"{path}.dnsConfig.nameservers", servers, detail)
    for index, server in enumerate(servers):
        for fault in addresses.ip(server):
            yield causes.invalid(f"{path}.dnsConfig.nameservers[{index}]", server, fault)
    yield from _searches((config or {}).get("searches") or [], f"{path}.dnsConfig.searches")
    for index, option in enumerate((config or {}).get("options") or ()):
        if not option.get("name"):
            yield causes.required(f"{path}.dnsConfig.options[{index}]", "must not be empty")


def _searches(searches: list[str], path: str) -> Iterator[Cause]:
    if len(searches) > SEARCHES_LIMIT:
        detail = f"must not have more than {SEARCHES_LIMIT} search paths"
        yield causes.invalid(path, searches, detail)
    if len(" ".join(searches)) > SEARCH_LENGTH_LIMIT:
        detail = (
            f"must not have more than {SEARCH_LENGTH_LIMIT} characters (including spaces) in the search list"
        )
        yield causes.invalid(path, searches, detail)
    for index, search in enumerate(searches):
        # Names with "_" exist, and "." alone means: search nothing.
        plain = search.removesuffix(".").replace("_", "x")
        for fault in names.dns_subdomain(plain) if search != "." else ():
            yield causes.invalid(f"{path}[{index}]", search.removesuffix("."), fault)


def _named(spec: Spec, path: str) -> Iterator[Cause]:
    """Yield what is wrong with the names in the spec."""
    rules = {
        "hostname": names.dns_label,
        "hostnameOverride": names.dns_subdomain,
        "subdomain": names.dns_label,
        "nodeName": names.dns_subdomain,
        "serviceAccountName": names.dns_subdomain,
        "priorityClassName": names.dns_subdomain,
        "runtimeClassName": names.dns_subdomain,
    }
    for field, rule in rules.items():
        if value := spec.get(field):
            for fault in rule(value):
                yield causes.invalid(f"{path}.{field}", value, fault)
    yield from _override(spec, path)
    yield from metadata.labels(spec.get("nodeSelector") or {}, f"{path}.nodeSelector")
    for index, secret in enumerate(spec.get("imagePullSecrets") or ()):
        if not secret.get("name"):
            yield causes.required(f"{path}.imagePullSecrets[{index}].name")


def _override(spec: Spec, path: str) -> Iterator[Cause]:
    override = str(spec.get("hostnameOverride") or "")
    if len(override) > HOSTNAME_LIMIT:
        yield causes.too_long(f"{path}.hostnameOverride", HOSTNAME_LIMIT)
    for field in ("setHostnameAsFQDN", "hostNetwork") if override else ():
        if spec.get(field):
            detail = "may not be set to true when `hostnameOverride` is set"
            yield causes.forbidden(f"{path}.{field}", detail)


def _aliases(aliases: Iterable[dict[str, Any]], path: str) -> Iterator[Cause]:
    for index, alias in enumerate(aliases):
        if address := alias.get("ip"):
            for fault in addresses.ip(address):
                yield causes.invalid(f"{path}[{index}].ip", address, fault)
        for at, host in enumerate(alias.get("hostnames") or ()):
            for fault in names.dns_subdomain(host):
                yield causes.invalid(f"{path}[{index}].hostnames[{at}]", host, fault)


def tolerations(found: Iterable[dict[str, Any]], path: str) -> Iterator[Cause]:
    """Yield what is wrong with tolerations."""
    for index, each in enumerate(found):
        operator, key = each.get("operator") or "Equal", each.get("key")
        where = f"{path}[{index}]"
        if key:
            for fault in names.qualified_name(key):
                yield causes.invalid(f"{where}.key", key, fault)
        elif operator != "Exists":
            detail = (
                'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            )
            yield causes.invalid(f"{where}.operator", operator, detail)
        if operator == "Equal":
            for fault in names.label_value(each.get("value") or ""):
                yield causes.invalid(f"{where}.operator", each.get("value"), fault)
        if operator == "Exists" and each.get("value"):
            yield causes.invalid(f"{where}.operator", each, "value must be empty when `operator` is 'Exists'")
        if each.get("tolerationSeconds") is not None and each.get("effect") != "NoExecute":
            detail = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            yield causes.invalid(f"{where}.effect", each.get("effect", ""), detail)
