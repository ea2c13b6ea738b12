"""MutatingWebhookConfiguration and ValidatingWebhookConfiguration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, names
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import clientconfig, selection

Webhook = dict[str, Any]

_VERSIONS = ("v1", "v1beta1")
_EFFECTS = ("None", "NoneOnDryRun")
_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")


def validate(obj: Object, old: Object | None) -> list[Cause]:  # noqa: ARG001
    """Return what is wrong with a configuration of webhooks."""
    found: list[Cause] = []
    seen: set[str] = set()
    for index, webhook in enumerate(obj.get("webhooks") or ()):
        path, name = f"webhooks[{index}]", str(webhook.get("name") or "")
        found += _webhook(webhook, path, name)
        if name and name in seen:
            found.append(causes.duplicate(f"{path}.name", name))
        seen.add(name)
    return found


def _webhook(webhook: Webhook, path: str, name: str) -> Iterator[Cause]:
    yield from _name(name, f"{path}.name")
    for index, rule in enumerate(webhook.get("rules") or ()):
        yield from rules(rule, f"{path}.rules[{index}]")
    effects = webhook.get("sideEffects")
    if effects is None:
        yield causes.required(f"{path}.sideEffects", f"must specify one of {', '.join(_EFFECTS)}")
    elif effects not in _EFFECTS:
        yield causes.unsupported(f"{path}.sideEffects", effects, _EFFECTS)
    timeout = webhook.get("timeoutSeconds")
    if timeout is not None and not 1 <= timeout <= 30:
        detail = "the timeout value must be between 1 and 30 seconds"
        yield causes.invalid(f"{path}.timeoutSeconds", timeout, detail)
    for field in ("namespaceSelector", "objectSelector"):
        yield from selection.validate(webhook.get(field) or {}, f"{path}.{field}")
    yield from clientconfig.validate(webhook.get("clientConfig") or {}, f"{path}.clientConfig")
    if webhook.get("matchConditions"):
        from minikctl.model.admitting import conditions  # brings CEL

        yield from conditions.check(webhook["matchConditions"], f"{path}.matchConditions")
    yield from _review_versions(
        webhook.get("admissionReviewVersions") or [], f"{path}.admissionReviewVersions"
    )


def _review_versions(versions: list[str], path: str) -> Iterator[Cause]:
    known = ", ".join(_VERSIONS)
    if not versions:
        yield causes.required(path, f"must specify one of {known}")
        return
    for index, version in enumerate(versions):
        if version in versions[:index]:
            yield causes.invalid(f"{path}[{index}]", version, "duplicate version")
            continue
        for fault in names.dns_1035_label(version):
            yield causes.invalid(f"{path}[{index}]", version, fault)
    if not any(each in _VERSIONS for each in versions):
        yield causes.invalid(path, versions, f"must include at least one of {known}")


def _name(name: str, path: str) -> Iterator[Cause]:
    if not name:
        yield causes.required(path)
        return
    if faults := names.dns_subdomain(name):
        yield causes.invalid(path, name, ",".join(faults))
    elif name.count(".") < 2:
        detail = "should be a domain with at least three segments separated by dots"
        yield causes.invalid(path, name, detail)


def rules(rule: dict[str, Any], path: str) -> Iterator[Cause]:
    """Yield what is wrong with one rule that says which requests are meant."""
    operations = rule.get("operations") or []
    if not operations:
        yield causes.required(f"{path}.operations")
    if len(operations) > 1 and "*" in operations:
        detail = "if '*' is present, must not specify other operations"
        yield causes.invalid(f"{path}.operations", operations, detail)
    for index, each in enumerate(operations):
        if each not in _OPERATIONS:
            yield causes.unsupported(f"{path}.operations[{index}]", each, _OPERATIONS)
    for field in ("apiGroups", "apiVersions"):
        values = rule.get(field) or []
        if not values:
            yield causes.required(f"{path}.{field}")
        if len(values) > 1 and "*" in values:
            noun = "API groups" if field == "apiGroups" else "API versions"
            detail = f"if '*' is present, must not specify other {noun}"
            yield causes.invalid(f"{path}.{field}", values, detail)
    for index, version in enumerate(rule.get("apiVersions") or ()):
        if not version:
            yield causes.required(f"{path}.apiVersions[{index}]")
    yield from _resources(rule.get("resources") or [], f"{path}.resources")


def _resources(resources: list[str], path: str) -> Iterator[Cause]:
    if not resources:
        yield causes.required(path)
    whole, parts = set[str](), set[str]()
    for index, each in enumerate(resources):
        where = f"{path}[{index}]"
        if not each:
            yield causes.required(where)
        resource, slash, part = each.partition("/")
        if not slash:
            continue
        if resource in whole:
            yield causes.invalid(where, each, f"if '{resource}/*' is present, must not specify {each}")
        if part in parts:
            yield causes.invalid(where, each, f"if '*/{part}' is present, must not specify {each}")
        if part == "*":
            whole.add(resource)
        if resource == "*":
            parts.add(part)
    if len(resources) > 1 and "*/*" in resources:
        detail = "if '*/*' is present, must not specify other resources"
        yield causes.invalid(path, resources, detail)
    if "*" in resources and any(each not in ("", "*") and "/" not in each for each in resources):
        detail = "if '*' is present, must not specify other resources without subresources"
        yield causes.invalid(path, resources, detail)
