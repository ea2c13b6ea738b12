"""Rules for CustomResourceDefinitions, but for those of their schemas (``crd_schema``)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from minikctl.model import causes, names, objects
from minikctl.model.custom import paths
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import clientconfig, crd_schema

_APPROVAL = "api-approved.kubernetes.io"
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_OF_WEBHOOKS = {
    "clientConfig": "webhookClientConfig",
    "conversionReviewVersions": "conversionReviewVersions",
}
"""What only a conversion by webhook has, and how Kubernetes calls it."""
_REVIEW_VERSIONS = ("v1", "v1beta1")


def validate(crd: Object, old: Object | None) -> list[Cause]:
    """Return what breaks the rules for a definition."""
    spec = objects.spec(crd)
    found = [*_name(crd, spec), *_spec(spec)]
    if old is not None:
        found += _update(crd, old)
    return [*found, *_approval(crd, spec, old)]


def _name(crd: Object, spec: Mapping[str, Any]) -> Iterator[Cause]:
    wanted = f"{(spec.get('names') or {}).get('plural', '')}.{spec.get('group', '')}"
    if objects.name(crd) != wanted:
        yield causes.invalid("metadata.name", objects.name(crd), 'must be spec.names.plural+"."+spec.group')


def _approval(crd: Object, spec: Mapping[str, Any], old: Object | None) -> Iterator[Cause]:
    """Yield what is wrong with who approved of a kind in a group of Kubernetes' own; what was so may stay."""
    group, said = str(spec.get("group") or ""), objects.annotations(crd).get(_APPROVAL, "")
    where, needed = f"metadata.annotations[{_APPROVAL}]", _approval_fault(said)
    if group not in ("k8s.io", "kubernetes.io") and not group.endswith((".k8s.io", ".kubernetes.io")):
        return
    if old is not None and needed == _approval_fault(objects.annotations(old).get(_APPROVAL, "")):
        return
    if needed and not said:
        yield causes.required(where, needed)
    elif needed:
        yield causes.invalid(where, said, needed)


def _approval_fault(said: str) -> str:
    begin = f'protected groups must have approval annotation "{_APPROVAL}"'
    see = "see https://github.com/kubernetes/enhancements/pull/1111"
    if not said:
        return f"{begin}, {see}"
    if said.startswith("unapproved") or re.match(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]", said):
        return ""
    return f'{begin} with either a URL or a reason starting with "unapproved", {see}'


def _spec(spec: Mapping[str, Any]) -> Iterator[Cause]:
    yield from _group(str(spec.get("group") or ""))
    scope = spec.get("scope")
    if not scope:
        yield causes.required("spec.scope")
    elif scope not in ("Cluster", "Namespaced"):
        yield causes.unlisted("spec.scope", scope, ("Cluster", "Namespaced"))
    yield from _versions(spec)
    yield from _names(spec.get("names") or {}, "spec.names")
    yield from _conversion(spec.get("conversion") or {})
    if spec.get("preserveUnknownFields"):
        yield causes.invalid("spec.preserveUnknownFields", True, "must be false")


def _group(group: str) -> Iterator[Cause]:
    if not group:
        yield causes.required("spec.group")
    elif faults := names.dns_subdomain(group):
        yield causes.invalid("spec.group", group, ",".join(faults))
    elif "." not in group:
        yield causes.invalid("spec.group", group, "should be a domain with at least one dot")


def _names(given: Mapping[str, Any], path: str) -> Iterator[Cause]:
    fields = ("plural", "singular", "kind", "listKind")
    yield from (causes.required(f"{path}.{field}") for field in fields if not given.get(field))
    for field in fields:
        value = str(given.get(field) or "")
        mixed = field in ("kind", "listKind")
        faults = names.dns_1035_label(value.lower() if mixed else value)
        if value and faults:
            before = "may have mixed case, but should otherwise match: " if mixed else ""
            yield causes.invalid(f"{path}.{field}", value, before + ",".join(faults))
    yield from _labels(given, "shortNames", path)
    if given.get("kind") and given.get("kind") == given.get("listKind"):
        yield causes.invalid(f"{path}.listKind", given["listKind"], "kind and listKind may not be the same")
    yield from _labels(given, "categories", path)


def _labels(given: Mapping[str, Any], field: str, path: str) -> Iterator[Cause]:
    for index, value in enumerate(given.get(field) or ()):
        if faults := names.dns_1035_label(value):
            yield causes.invalid(f"{path}.{field}[{index}]", value, ",".join(faults))


# --- versions ---------------------------------------------------------------------------------------------


def _versions(spec: Mapping[str, Any]) -> Iterator[Cause]:
    versions = spec.get("versions") or ()
    seen = [version.get("name") for version in versions]
    for index, version in enumerate(versions):
        if not crd_schema.of(version):
            yield causes.required(f"spec.versions[{index}].schema.openAPIV3Schema", "schemas are required")
    for index, version in enumerate(versions):
        where = f"spec.versions[{index}]"
        if faults := names.dns_1035_label(str(version.get("name") or "")):
            yield causes.invalid(f"{where}.name", version.get("name"), ",".join(faults))
        warning = version.get("deprecationWarning")
        if warning is not None:
            for detail in _warning(warning, is_deprecated=bool(version.get("deprecated"))):
                yield causes.invalid(f"{where}.deprecationWarning", warning, detail)
    if len(set(seen)) < len(seen):
        yield causes.invalid("spec.versions", versions, "must contain unique version names")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        detail = "must have exactly one version marked as storage version"
        yield causes.invalid("spec.versions", versions, detail)
    for part, rule in _PARTS.items():
        for path, value, version in _hoisted(versions, part):
            yield from rule(value, path, version)


def _warning(text: str, *, is_deprecated: bool) -> Iterator[str]:
    if not is_deprecated:
        yield "can only be set for deprecated versions"
        return
    if len(text.encode()) > 256:
        yield "must be <= 256 characters long"
    if not text:
        yield "must not be an empty string"
    for index, each in enumerate(text):
        if not each.isprintable():
            at = len(text[:index].encode())
            begin = "must only contain printable UTF-8 characters"
            yield f"{begin}; non-printable character found at index {at}"
            return


def _hoisted(
    versions: Sequence[Mapping[str, Any]], part: str
) -> Iterator[tuple[str, Any, Mapping[str, Any]]]:
    """Yield each version's part with the path by which Kubernetes names it.

    What is the same in all versions is named once, by the place that it had before there were versions.
    """
    found = [version.get(part) for version in versions]
    if not any(found):
        return
    if all(each == found[0] for each in found):
        yield f"spec.{_OLD_PLACES.get(part, part)}", found[0], versions[0]
        return
    for index, (value, version) in enumerate(zip(found, versions, strict=True)):
        if value:
            yield f"spec.versions[{index}].{part}", value, version


def _schema(value: Any, path: str, version: Mapping[str, Any]) -> Iterator[Cause]:
    has_status = "status" in (version.get("subresources") or {})
    yield from crd_schema.check(value.get("openAPIV3Schema") or {}, f"{path}.openAPIV3Schema", has_status)


def _subresources(value: Any, path: str, _version: Mapping[str, Any]) -> Iterator[Cause]:
    scale = value.get("scale")
    if scale is None:
        return
    wanted = (("specReplicasPath", "spec", True), ("statusReplicasPath", "status", True))
    for field, root, needed in (*wanted, ("labelSelectorPath", None, False)):
        said, where = scale.get(field) or "", f"{path}.scale.{field}"
        if not said:
            if needed:
                yield causes.required(where)
        elif faults := list(_simple_path(said, where)):
            yield from faults
        elif root is not None and not said.startswith(f".{root}."):
            yield causes.invalid(where, said, f"should be a json path under .{root}")
        elif root is None and not said.startswith((".spec.", ".status.")):
            yield causes.invalid(where, said, "should be a json path under either .spec or .status")


def _simple_path(text: str, where: str) -> Iterator[Cause]:
    if not text.startswith("."):
        yield causes.invalid(where, text, "must be a simple json path starting with .")
        return
    try:
        paths.fields(text)
    except paths.BadPath:
        yield causes.invalid(where, text, "must be a json path in the dot notation")


def _columns(value: Any, path: str, _version: Mapping[str, Any]) -> Iterator[Cause]:
    for index, column in enumerate(value):
        where = f"{path}[{index}]"
        if not column.get("name"):
            yield causes.required(f"{where}.name")
        types = f"must be one of {','.join(_COLUMN_TYPES)}"
        if not column.get("type"):
            yield causes.required(f"{where}.type", types)
        elif column["type"] not in _COLUMN_TYPES:
            yield causes.invalid(f"{where}.type", column["type"], types)
        if column.get("format") and column["format"] not in _COLUMN_FORMATS:
            detail = f"must be one of {','.join(_COLUMN_FORMATS)}"
            yield causes.invalid(f"{where}.format", column["format"], detail)
        yield from _column_path(str(column.get("jsonPath") or ""), f"{where}.JSONPath")


def _column_path(text: str, where: str) -> Iterator[Cause]:
    if not text:
        yield causes.required(where)
    elif not text.startswith("."):
        yield causes.invalid(where, text, "must be a simple json path starting with .")
    else:
        try:
            paths.parse(text)
        except paths.BadPath:
            yield causes.invalid(where, text, f"illegal json path: {text}")


def _selectable(value: Any, path: str, version: Mapping[str, Any]) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, each in enumerate(value):
        said, where = str(each.get("jsonPath") or ""), f"{path}[{index}].jsonPath"
        if not said:
            yield causes.required(where)
            continue
        if fault := _unselectable(said, version):
            yield causes.invalid(where, said, fault)
        if said in seen:
            yield causes.duplicate(where, said)
        seen.add(said)
    if len(seen) > 8:
        yield causes.too_many(path, len(seen), 8)


def _unselectable(text: str, version: Mapping[str, Any]) -> str:
    try:
        steps = paths.fields(text)
    except paths.BadPath:
        return "is an invalid path: does not refer to a valid field"
    if steps[0] == "metadata":
        return "must not point to fields in metadata"
    node: Any = crd_schema.of(version)
    for step in steps:
        node = (node.get("properties") or {}).get(step)
        if node is None:
            return "is an invalid path: does not refer to a valid field"
    if node.get("type") not in ("string", "boolean", "integer"):
        return (
            "must point to a field of type string, boolean or integer. "
            "Enum string fields and strings with formats are allowed."
        )
    return ""


_PARTS: dict[str, Callable[[Any, str, Mapping[str, Any]], Iterator[Cause]]] = {
    "schema": _schema,
    "subresources": _subresources,
    "additionalPrinterColumns": _columns,
    "selectableFields": _selectable,
}
_OLD_PLACES = {"schema": "validation"}


# --- conversion -------------------------------------------------------------------------------------------


def _conversion(given: Mapping[str, Any]) -> Iterator[Cause]:
    path, strategy, webhook = "spec.conversion", given.get("strategy"), given.get("webhook")
    if not strategy:
        yield causes.required(f"{path}.strategy")
    elif strategy not in ("None", "Webhook"):
        yield causes.unlisted(f"{path}.strategy", strategy, ("None", "Webhook"))
    if strategy != "Webhook":
        for field, shown in _OF_WEBHOOKS.items():
            if (webhook or {}).get(field):
                detail = "should not be set when strategy is not set to Webhook"
                yield causes.forbidden(f"{path}.{shown}", detail)
        return
    config = (webhook or {}).get("clientConfig")
    if config is None:
        detail = "required when strategy is set to Webhook"
        yield causes.required(f"{path}.webhookClientConfig", detail)
    else:
        yield from clientconfig.validate(config, f"{path}.webhookClientConfig")
    yield from review_versions(
        (webhook or {}).get("conversionReviewVersions") or (), f"{path}.conversionReviewVersions"
    )


def review_versions(given: Sequence[str], path: str) -> Iterator[Cause]:
    """Yield what is wrong with the review versions that a webhook understands."""
    if not given:
        yield causes.required(path)
        return
    for index, each in enumerate(given):
        if each in given[:index]:
            yield causes.invalid(f"{path}[{index}]", each, "duplicate version")
            continue
        for fault in names.dns_1035_label(each):
            yield causes.invalid(f"{path}[{index}]", each, fault)
    if not set(given) & set(_REVIEW_VERSIONS):
        yield causes.invalid(path, given, f"must include at least one of {', '.join(_REVIEW_VERSIONS)}")


# --- update -----------------------------------------------------------------------------------------------


def _update(crd: Object, old: Object) -> Iterator[Cause]:
    spec, before = objects.spec(crd), objects.spec(old)
    conditions = objects.status(old).get("conditions") or ()
    established = any(
        each.get("type") == "Established" and each.get("status") == "True" for each in conditions
    )
    fixed = [("group",), ("names", "plural")]
    if established:
        fixed = [("scope",), ("names", "kind"), *fixed]
    for steps in fixed:
        new, was = _at(spec, steps), _at(before, steps)
        if new != was:
            yield causes.invalid(f"spec.{'.'.join(steps)}", new, "field is immutable")
    present = {version.get("name") for version in spec.get("versions") or ()}
    for index, name in enumerate(objects.status(crd).get("storedVersions") or ()):
        if name not in present:
            where = f"status.storedVersions[{index}]"
            yield causes.invalid(where, name, "missing from spec.versions; "
                                 f"{name} was previously a storage version, and must remain in spec.versions "
                                 "until a storage migration ensures no data remains persisted in "
                                 f"{name} and removes {name} from status.storedVersions")  # fmt: skip


def _at(value: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        value = (value or {}).get(step)
    return value
