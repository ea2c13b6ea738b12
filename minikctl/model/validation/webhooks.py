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
_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")


def validate(obj: Object, old: Object | None) -> list[Cause]:  # noqa: ARG001
    """Return what is wrong with a configuration of webhooks."""
    found: list[Cause] = []
    seen: set[str] = set()
    for index, webhook in enumerate(obj.get("webhooks") or ()):
        path, name = f"webhooks[{index}]", str(webhook.get("name") or "")
        found += _webhook(webhook, path, name)
        if name in seen:
            found.append(causes.duplicate(f"{path}.name", name))
        seen.add(name)
    return found


def _webhook(webhook: Webhook, path: str, name: str) -> Iterator[Cause]:
    yield from _name(name, f"{path}.name")
    for index, rule in enumerate(webhook.get("rules") or ()):
        yield from rules(rule, f"{path}.rules[{index}]")
    effects = webhook.get("sideEffects")
    if effects not in (None, "None", "NoneOnDryRun"):
        yield causes.unsupported(f"{path}.sideEffects", effects, ["None", "NoneOnDryRun"])
    timeout = webhook.get("timeoutSeconds")
    if timeout is not None and not 1 <= timeout <= 30:
        detail = "the timeout value must be between 1 and 30 seconds"
        yield causes.invalid(f"{path}.timeoutSeconds", timeout, detail)
    versions = webhook.get("admissionReviewVersions") or []
    if not versions:
        detail = f"must specify one of {', '.join(_VERSIONS)}"
        yield causes.required(f"{path}.admissionReviewVersions", detail)
    elif not any(each in _VERSIONS for each in versions):
        detail = f"must include at least one of {', '.join(_VERSIONS)}"
        yield causes.invalid(f"{path}.admissionReviewVersions", versions, detail)
    for field in ("namespaceSelector", "objectSelector"):
        yield from selection.validate(webhook.get(field) or {}, f"{path}.{field}")
    yield from clientconfig.validate(webhook.get("clientConfig") or {}, f"{path}.clientConfig")
    if webhook.get("matchConditions"):
        from minikctl.model.admitting import conditions  # brings CEL

        yield from conditions.check(webhook["matchConditions"], f"{path}.matchConditions")


def _name(name: str, path: str) -> Iterator[Cause]:
    if not name:
        yield causes.required(path)
        return
    for fault in names.dns_subdomain(name):
        yield causes.invalid(path, name, fault)
    if name.count(".") < 2:
        detail = "should be a domain with at least three segments separated by dots"
        yield causes.invalid(path, name, detail)


def rules(rule: dict[str, Any], path: str) -> Iterator[Cause]:
    """Yield what is wrong with one rule that says which requests are meant."""
    operations, resources = rule.get("operations") or [], rule.get("resources") or []
    if not operations:
        yield causes.required(f"{path}.operations")
    for index, each in enumerate(operations):
        if each not in _OPERATIONS:
            yield causes.unsupported(f"{path}.operations[{index}]", each, _OPERATIONS)
    if len(operations) > 1 and "*" in operations:
        detail = "if '*' is present, must not specify other operations"
        yield causes.invalid(f"{path}.operations", operations, detail)
    for field in ("apiGroups", "apiVersions"):
        values = rule.get(field) or []
        if not values:
            yield causes.required(f"{path}.{field}")
        if len(values) > 1 and "*" in values:
            noun = "API groups" if field == "apiGroups" else "API versions"
            detail = f"if '*' is present, must not specify other {noun}"
            yield causes.invalid(f"{path}.{field}", values, detail)
    if not resources:
        yield causes.required(f"{path}.resources")
    if len(resources) > 1 and "*/*" in resources:
        detail = "if '*/*' is present, must not specify other resources"
        yield causes.invalid(f"{path}.resources", resources, detail)
