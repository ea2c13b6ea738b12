"""Writes the schemas of this folder from Kubernetes' OpenAPI document.

Usage: ``python schemas/generate.py [kubernetes_validate-*.whl]``.  Without a wheel, pip fetches the one of
``RELEASE``.  What the document leaves unsaid (defaults, ranges, allowed values) comes from overrides.yaml.
The two v1beta1 Ingress versions left Kubernetes long ago: their files are kept by hand.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Schema = dict[str, Any]

HERE = Path(__file__).parent
RELEASE = "1.36.0"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
KINDS = (
    "core.v1.Binding",
    "core.v1.ComponentStatus",
    "core.v1.ConfigMap",
    "core.v1.Endpoints",
    "core.v1.Event",
    "core.v1.LimitRange",
    "core.v1.Namespace",
    "core.v1.Node",
    "core.v1.PersistentVolume",
    "core.v1.PersistentVolumeClaim",
    "core.v1.Pod",
    "core.v1.PodTemplate",
    "core.v1.ReplicationController",
    "core.v1.ResourceQuota",
    "core.v1.Secret",
    "core.v1.Service",
    "core.v1.ServiceAccount",
    "admissionregistration.v1.MutatingAdmissionPolicy",
    "admissionregistration.v1.MutatingAdmissionPolicyBinding",
    "admissionregistration.v1.MutatingWebhookConfiguration",
    "admissionregistration.v1.ValidatingAdmissionPolicy",
    "admissionregistration.v1.ValidatingAdmissionPolicyBinding",
    "admissionregistration.v1.ValidatingWebhookConfiguration",
    "apps.v1.ControllerRevision",
    "apps.v1.DaemonSet",
    "apps.v1.Deployment",
    "apps.v1.ReplicaSet",
    "apps.v1.StatefulSet",
    "autoscaling.v1.HorizontalPodAutoscaler",
    "autoscaling.v1.Scale",
    "autoscaling.v2.HorizontalPodAutoscaler",
    "batch.v1.CronJob",
    "batch.v1.Job",
    "certificates.v1.CertificateSigningRequest",
    "coordination.v1.Lease",
    "discovery.v1.EndpointSlice",
    "events.v1.Event",
    "flowcontrol.v1.FlowSchema",
    "flowcontrol.v1.PriorityLevelConfiguration",
    "networking.v1.IPAddress",
    "networking.v1.Ingress",
    "networking.v1.IngressClass",
    "networking.v1.NetworkPolicy",
    "networking.v1.ServiceCIDR",
    "node.v1.RuntimeClass",
    "policy.v1.Eviction",
    "policy.v1.PodDisruptionBudget",
    "rbac.v1.ClusterRole",
    "rbac.v1.ClusterRoleBinding",
    "rbac.v1.Role",
    "rbac.v1.RoleBinding",
    "resource.v1.DeviceClass",
    "resource.v1.ResourceClaim",
    "resource.v1.ResourceClaimTemplate",
    "resource.v1.ResourceSlice",
    "scheduling.v1.PriorityClass",
    "storage.v1.CSIDriver",
    "storage.v1.CSINode",
    "storage.v1.CSIStorageCapacity",
    "storage.v1.StorageClass",
    "storage.v1.VolumeAttachment",
    "storage.v1.VolumeAttributesClass",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
    "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService",
)
ROOTS = tuple(kind if kind.startswith("io.") else f"io.k8s.api.{kind}" for kind in KINDS)
GROUPS = {
    "admissionregistration": "admissionregistration.k8s.io",
    "apiextensions": "apiextensions.k8s.io",
    "apiregistration": "apiregistration.k8s.io",
    "certificates": "certificates.k8s.io",
    "coordination": "coordination.k8s.io",
    "discovery": "discovery.k8s.io",
    "events": "events.k8s.io",
    "flowcontrol": "flowcontrol.apiserver.k8s.io",
    "networking": "networking.k8s.io",
    "node": "node.k8s.io",
    "rbac": "rbac.authorization.k8s.io",
    "resource": "resource.k8s.io",
    "scheduling": "scheduling.k8s.io",
    "storage": "storage.k8s.io",
}
ANYTHING: Schema = {"x-kubernetes-preserve-unknown-fields": True}
"""The schema of a value that is kept as it is."""
_JSON = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1"
KEPT = ("required", "enum", "format", "additionalProperties")
SCALARS: dict[str, Schema] = {
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": {"type": "string", "format": "date-time"},
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": {"type": "string", "format": "micro-time"},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": ["string", "number"], "format": "quantity"},
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {
        "type": ["integer", "string"],
        "format": "int-or-string",
    },
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": {"type": "object", **ANYTHING},
    "io.k8s.apimachinery.pkg.runtime.RawExtension": ANYTHING,
    **{
        f"{_JSON}.{name}": ANYTHING
        for name in (
            "JSON",
            "JSONSchemaPropsOrArray",
            "JSONSchemaPropsOrBool",
            "JSONSchemaPropsOrStringArray",
        )
    },
}


def place(definition: str) -> tuple[str, str, str]:
    """Return the folder's group and version and the type's name for a definition's full name."""
    package, version, name = definition.rsplit(".", 2)
    short = package.rsplit(".", 1)[-1]
    return GROUPS.get(short, short), version, name


def references(schema: Any) -> Iterator[str]:
    """Yield the full name of each definition that the schema refers to."""
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].rsplit("/", 1)[-1]
        for inner in schema.values():
            yield from references(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from references(inner)


def reachable(definitions: Schema, roots: list[str]) -> list[str]:
    """Return the roots and every definition below them, sorted."""
    seen: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in seen and name not in SCALARS:
            seen.add(name)
            waiting.extend(references(definitions[name]))
    return sorted(seen)


def convert(schema: Schema, home: tuple[str, str]) -> Schema:
    """Return our form of a definition in the ``home`` folder: no prose, no null, relative references."""
    kept = {key: value for key, value in schema.items() if key in KEPT or key.startswith("x-kubernetes-")}
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return {**(SCALARS.get(name) or {"$ref": pointer(name, home)}), **kept}
    if "type" in schema:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        kept["type"] = next(kind for kind in kinds if kind != "null")
    if "properties" in schema:
        kept["properties"] = {name: convert(each, home) for name, each in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            kept[key] = convert(schema[key], home)
    return kept


def pointer(name: str, home: tuple[str, str]) -> str:
    """Return the reference from a file in the ``home`` folder to a shared type."""
    group, version, short = place(name)
    folder = "" if (group, version) == home else f"../../{group}/{version}/"
    if name in ROOTS:
        return f"{folder}{short}.json"
    return f"{folder}types.json#/$defs/{short}"


def override(schema: Schema, rules: Schema) -> None:
    """Add to a converted definition what overrides.yaml says of it."""
    for name, rule in rules.items():
        if name == "required":
            schema["required"] = rule
        elif name not in schema.get("properties", {}):
            raise SystemExit(f"overrides.yaml: no field {name} in {sorted(schema.get('properties', {}))}")
        else:
            schema["properties"][name].update(rule)


def fill(schema: Schema) -> None:
    """Say of a volume's source that what it must have may not be empty either; a number left out is 0."""
    for name in list(schema.get("required", ())):
        field = schema["properties"][name]
        if field.get("type") == "string":
            field["minLength"] = 1
        elif field.get("type") == "array":
            field["minItems"] = 1
        elif field.get("type") == "integer":
            schema["required"].remove(name)


def generate(definitions: Schema, overrides: Schema) -> dict[str, Schema]:
    """Return each file's content by its path below this folder."""
    files: dict[str, Schema] = {}
    for full in reachable(definitions, list(ROOTS)):
        group, version, name = place(full)
        schema = convert(definitions[full], (group, version))
        if name.endswith(("Status", "Condition")):
            schema.pop("required", None)  # what controllers write is not judged by what it lacks
        if name.endswith("VolumeSource"):
            fill(schema)
        if name == "OwnerReference":
            schema.pop("required", None)  # the rules for metadata say it, in their own words
        override(schema, overrides.get(f"{group}/{version}", {}).pop(name, {}))
        if full in ROOTS:
            path = f"{group}/{version}/{name}.json"
            files[path] = {"$schema": DIALECT, "$id": path, "title": name, **schema}
        else:
            path = f"{group}/{version}/types.json"
            shared = files.setdefault(path, {"$schema": DIALECT, "$id": path, "$defs": {}})
            shared["$defs"][name] = schema
    unused = {place: names for place, names in overrides.items() if names}
    if unused:
        raise SystemExit(f"overrides.yaml: unknown types {unused}")
    return files


def wheel(arguments: list[str], folder: str) -> Path:
    """Return the wheel that was named, or the one that pip fetched into ``folder``."""
    if arguments:
        return Path(arguments[0])
    package = f"kubernetes-validate=={RELEASE}"
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, package], check=True
    )
    return next(Path(folder).glob("*.whl"))


def published(definitions: Schema) -> bytes:
    """Return what clients are told of all types of stable versions, with descriptions, compressed."""
    stable = re.compile(r"io\.k8s\.apimachinery\..*|.*\.v\d+\.\w+")
    found = {name: told(each) for name, each in sorted(definitions.items()) if stable.fullmatch(name)}
    lost = {each for each in references_of(found) if each not in found}
    if lost:
        raise SystemExit(f"openapi.json.gz: types are left out that others refer to: {lost}")
    text = json.dumps(found, separators=(",", ":"), sort_keys=True)
    return gzip.compress(text.encode(), 9, mtime=0)


def references_of(found: Any) -> Iterator[str]:
    """Yield what the types refer to."""
    if isinstance(found, dict):
        if isinstance(found.get("$ref"), str):
            yield found["$ref"]
        for inner in found.values():
            yield from references_of(inner)


def told(schema: Schema) -> Schema:
    """Return a definition as it is published: no null, names for references, several types as a list."""
    kept = {key: value for key, value in schema.items() if key not in ("$ref", "type", "oneOf")}
    if "$ref" in schema:
        kept["$ref"] = schema["$ref"].rsplit("/", 1)[-1]
    if "type" in schema:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        kept["type"] = next(kind for kind in kinds if kind != "null")
    if "oneOf" in schema:
        kept["oneOf"] = sorted(told(each)["type"] for each in schema["oneOf"])
    if "properties" in schema:
        kept["properties"] = {name: told(each) for name, each in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            kept[key] = told(schema[key])
    return kept


def main() -> None:
    """Write every file."""
    member = f"kubernetes_validate/kubernetes-json-schema/v{RELEASE}-local/_definitions.json"
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel(sys.argv[1:], folder)) as archive:
        document = json.loads(archive.read(member))
    (HERE / "openapi.json.gz").write_bytes(published(document["$defs"]))
    overrides = yaml.safe_load((HERE / "overrides.yaml").read_text())
    for path, schema in generate(document["$defs"], overrides).items():
        target = HERE / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(schema, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
