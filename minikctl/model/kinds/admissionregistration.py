"""The kinds of admissionregistration.k8s.io: who is asked before something is stored."""

from __future__ import annotations

import functools
from datetime import datetime

from minikctl.model import cells, objects, selectors
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object
from minikctl.model.validation import policies, webhooks


def _parameters(obj: Object, _now: datetime) -> str:
    kind = objects.spec(obj).get("paramKind")
    return f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}" if kind else "<unset>"


def _reference(obj: Object, _now: datetime) -> str:
    reference = objects.spec(obj).get("paramRef") or {}
    if reference.get("name"):
        return f"{reference.get('namespace') or '*'}/{reference['name']}"
    if reference.get("selector") is not None:
        return str(selectors.of(reference["selector"]))
    return "<unset>"


_kind = functools.partial(
    Kind,
    "admissionregistration.k8s.io",
    "v1",
    namespaced=False,
    categories=("api-extensions",),
    has_generation=True,
)
_webhooks = functools.partial(
    _kind,
    validate=webhooks.validate,
    columns=(cells.NAME, Column("Webhooks", cells.size("webhooks"), "integer"), cells.AGE),
)
_binding = functools.partial(
    _kind,
    columns=(
        cells.NAME,
        Column("PolicyName", cells.text("spec.policyName")),
        Column("ParamRef", _reference),
        cells.AGE,
    ),
)


def _rules(title: str, path: str) -> tuple[Column, ...]:
    return (
        cells.NAME,
        Column(title, cells.size(path), "integer"),
        Column("ParamKind", _parameters),
        cells.AGE,
    )


MUTATING_POLICY = _kind(
    "MutatingAdmissionPolicy",
    "mutatingadmissionpolicies",
    validate=policies.validate_mutating,
    columns=_rules("Mutations", "spec.mutations"),
)
MUTATING_POLICY_BINDING = _binding(
    "MutatingAdmissionPolicyBinding",
    "mutatingadmissionpolicybindings",
    validate=policies.validate_mutating_binding,
)
MUTATING_WEBHOOKS = _webhooks("MutatingWebhookConfiguration", "mutatingwebhookconfigurations")
VALIDATING_POLICY = _kind(
    "ValidatingAdmissionPolicy",
    "validatingadmissionpolicies",
    validate=policies.validate,
    prepare=policies.prepare,
    subresources=frozenset({"status"}),
    columns=_rules("Validations", "spec.validations"),
)
VALIDATING_POLICY_BINDING = _binding(
    "ValidatingAdmissionPolicyBinding",
    "validatingadmissionpolicybindings",
    validate=policies.validate_binding,
)
VALIDATING_WEBHOOKS = _webhooks("ValidatingWebhookConfiguration", "validatingwebhookconfigurations")
ALL = (
    MUTATING_POLICY,
    MUTATING_POLICY_BINDING,
    MUTATING_WEBHOOKS,
    VALIDATING_POLICY,
    VALIDATING_POLICY_BINDING,
    VALIDATING_WEBHOOKS,
)
