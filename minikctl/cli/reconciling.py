"""What ``auth reconcile`` has to do to one role or binding, and how it is told.

By the rules of k8s.io/component-helpers/auth/rbac/reconciliation: what is written on the object itself (labels,
annotations) stays, rules are compared by what they allow, and a binding to another role is a new binding, with
the subjects of the file alone. An object annotated with ``autoupdate: "false"`` is left as it is.
"""

from __future__ import annotations

from minikctl.client.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

ROLES, BINDINGS = ("Role", "ClusterRole"), ("RoleBinding", "ClusterRoleBinding")
KINDS = ROLES + BINDINGS
CREATE, UPDATE, RECREATE = "create", "update", "recreate"
AUTO_UPDATE = "rbac.authorization.kubernetes.io/autoupdate"
GROUP = "rbac.authorization.k8s.io"
RULE = (
    ("Verbs", "verbs"), ("APIGroups", "apiGroups"), ("Resources", "resources"),
    ("ResourceNames", "resourceNames"), ("NonResourceURLs", "nonResourceURLs"),
)  # fmt: skip
SUBJECT = (("Kind", "kind"), ("APIGroup", "apiGroup"), ("Name", "name"), ("Namespace", "namespace"))


class Change(Record):
    """What is to be done (``operation``, "" for nothing), the object as it is to be, and what makes the difference."""

    operation: str
    object: dict[str, Any]
    missing: list[Any]
    extra: list[Any]
    is_protected: bool = False


def change(current: dict[str, Any] | None, wanted: dict[str, Any], *, fewer: bool) -> Change:
    """Return the way from what is there to what a file says; ``fewer``: what it does not say goes."""
    items = "subjects" if wanted["kind"] in BINDINGS else "rules"
    asked: list[Any] = wanted.get(items) or []
    if items == "subjects":
        asked = [_complete(each) for each in asked]
    wanted = {**wanted, items: asked or None}
    if current is None:
        return Change(CREATE, wanted, asked, [])
    metadata = _metadata(current["metadata"], wanted.get("metadata") or {})
    notes = current["metadata"].get("annotations") or {}
    is_protected = notes.get(AUTO_UPDATE) == "false"
    if items == "subjects":
        if _role(current) != _role(wanted):
            return Change(RECREATE, wanted, [], [], is_protected)
        missing, extra = _apart(current.get(items) or [], asked)
        parts = {}
    else:
        missing, extra = _rules_apart(current, wanted, asked)
        parts = _aggregation(current, wanted, fewer=fewer)
    changed = {**current, "metadata": metadata, **parts}
    if fewer and (missing or extra):
        changed[items] = asked
    elif missing:
        changed[items] = [*(current.get(items) or ()), *missing]
    if changed.get("aggregationRule", ...) is None:
        del changed["aggregationRule"]
    return Change("" if changed == current else UPDATE, changed, missing, extra, is_protected)


def _metadata(current: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata with labels and annotations added; those that are there stay as they are."""
    parts = {name: wanted[name] for name in ("labels", "annotations") if wanted.get(name)}
    return {**current, **{name: {**added, **(current.get(name) or {})} for name, added in parts.items()}}


def _complete(subject: dict[str, Any]) -> dict[str, Any]:
    """Return the subject with the group that the server fills in."""
    group = GROUP if subject.get("kind") in ("User", "Group") else ""
    return {**({"apiGroup": group} if group else {}), **subject}


def _role(binding: dict[str, Any]) -> tuple[Any, ...]:
    role = binding.get("roleRef") or {}
    return role.get("apiGroup") or GROUP, role.get("kind"), role.get("name")


def _apart(current: list[Any], wanted: list[Any]) -> tuple[list[Any], list[Any]]:
    """Return what only one of the two has, each once: what is missing, and what is too much."""
    missing: list[Any] = []
    for each in wanted:
        if each not in current and each not in missing:
            missing.append(each)
    return missing, [each for each in current if each not in wanted]


def _rules_apart(
    current: dict[str, Any], wanted: dict[str, Any], asked: list[Any]
) -> tuple[list[Any], list[Any]]:
    from minikctl.model import rbac

    held = current.get("rules") or []
    is_aggregated = bool(current.get("aggregationRule") and wanted.get("aggregationRule"))
    return rbac.missing(held, asked), [] if is_aggregated else rbac.missing(asked, held)


def _aggregation(current: dict[str, Any], wanted: dict[str, Any], *, fewer: bool) -> dict[str, Any]:
    """Return the rule of aggregation as far as it changes; None: it goes."""
    held, asked = current.get("aggregationRule"), wanted.get("aggregationRule")
    if not asked:
        return {"aggregationRule": None} if held else {}
    before: list[Any] = (held or {}).get("clusterRoleSelectors") or []
    missing, extra = _apart(before, asked.get("clusterRoleSelectors") or [])
    if fewer and (missing or extra):
        return {"aggregationRule": asked}
    return {"aggregationRule": {"clusterRoleSelectors": [*before, *missing]}} if missing else {}


def told(change: Change, *, fewer: bool) -> Iterator[str]:
    """Yield the lines that say what was to be done; none when nothing was."""
    if not change.operation:
        return
    opted = f", but object opted out ({AUTO_UPDATE}: false)" if change.is_protected else ""
    yield f"\treconciliation required {change.operation}{opted}"
    is_binding = change.object["kind"] in BINDINGS
    word, fields = ("subjects", SUBJECT) if is_binding else ("rules", RULE)
    for head, found in (
        (f"missing {word} added:", change.missing),
        (f"extra {word} removed:", change.extra if fewer else []),
    ):
        if found:
            yield f"\t{head}"
        for each in found:
            yield f"\t\t{_shown(each, fields)}"


def _shown(each: dict[str, Any], fields: tuple[tuple[str, str], ...]) -> str:
    """Return a rule or subject as Go prints it with the names of its fields."""
    values = ((name, each.get(field)) for name, field in fields)
    if fields is RULE:
        return "{" + " ".join(f"{name}:[{' '.join(value or ())}]" for name, value in values) + "}"
    return "{" + " ".join(f"{name}:{value or ''}" for name, value in values) + "}"
