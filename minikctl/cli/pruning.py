"""``apply --prune``: what was applied before and is not in the files any more is deleted.

Two ways of knowing what that is: by a label selector, among objects that remember having been applied; or by an
ApplySet (KEP-3659), whose parent object has an id that its members are labelled with.
"""

from __future__ import annotations

import base64
import hashlib

import minikctl
from minikctl import errors
from minikctl.cli import changing, lastapplied, selection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from minikctl.cli.apply import ApplyOptions
    from minikctl.cli.selection import Target
    from minikctl.cli.session import Session

DEFAULT = (
    ("v1", "ConfigMap"), ("v1", "Endpoints"), ("v1", "Namespace"), ("v1", "PersistentVolumeClaim"),
    ("v1", "PersistentVolume"), ("v1", "Pod"), ("v1", "ReplicationController"), ("v1", "Secret"),
    ("v1", "Service"), ("batch/v1", "Job"), ("batch/v1", "CronJob"), ("networking.k8s.io/v1", "Ingress"),
    ("apps/v1", "DaemonSet"), ("apps/v1", "Deployment"), ("apps/v1", "ReplicaSet"), ("apps/v1", "StatefulSet"),
)  # fmt: skip
"""What is looked through unless --prune-allowlist says otherwise, as in kubectl."""

PART_OF = "applyset.kubernetes.io/part-of"
IDENTITY = "applyset.kubernetes.io/id"
TOOLING = "applyset.kubernetes.io/tooling"
MEMBERS = "applyset.kubernetes.io/contains-group-kinds"
NAMESPACES = "applyset.kubernetes.io/additional-namespaces"
MANAGER = "kubectl-applyset"


def check(options: ApplyOptions) -> None:
    """Refuse what does not go together, in kubectl's words."""
    if options.applyset:
        if not options.prune:
            raise errors.UsageError("error: --applyset requires --prune")
        for name, value in (
            ("all", options.all),
            ("selector", options.labels),
            ("prune-allowlist", options.allowlist),
        ):
            if value:
                raise errors.UsageError(f"error: --{name} is incompatible with --applyset")
        return
    if options.all and options.labels:
        raise errors.UsageError("error: cannot set --all and --selector at the same time")
    if options.prune and not options.all and not options.labels:
        raise errors.UsageError(
            "error: all resources selected for prune without explicitly passing --all. To prune all resources, "
            "pass the --all flag. If you did not mean to prune all resources, specify a label selector"
        )
    if options.prune and options.server_side:
        raise errors.UsageError(
            "error: --prune is in alpha and doesn't currently work on objects created by server-side apply"
        )


def by_label(
    options: ApplyOptions, applied: list[tuple[Target, dict[str, Any]]], session: Session
) -> list[Target]:
    """Return what the selector chooses, remembers having been applied, and was not applied now."""
    kept = {result["metadata"].get("uid") for _, result in applied}
    namespaces = sorted({target.namespace for target, _ in applied if target.namespace})
    found = []
    for resource in prunable(options, session):
        for namespace in namespaces if resource.namespaced else [""]:
            place = selection.Target(resource, "", namespace)
            for obj in _members(place, options.labels, session):
                metadata = obj["metadata"]
                marked = lastapplied.ANNOTATION in (metadata.get("annotations") or {})
                if marked and metadata["uid"] not in kept and not metadata.get("deletionTimestamp"):
                    found.append(selection.Target(resource, metadata["name"], namespace))
    return found


def prunable(options: ApplyOptions, session: Session) -> Iterator[Any]:
    """Yield the kinds of which objects are pruned: those of the allowlist, or kubectl's own."""
    chosen: tuple[tuple[str, str], ...] = DEFAULT
    if options.allowlist:
        chosen = tuple(_group_kind(text) for text in options.allowlist)
    for version, kind in chosen:
        resource = session.discovery.by_kind(version, kind)
        if resource is None and options.allowlist:
            raise errors.UsageError(f'error: no matches for kind "{kind}" in version "{version}"')
        if resource is not None:
            yield resource


def _group_kind(text: str) -> tuple[str, str]:
    parts = text.split("/")
    if len(parts) != 3:
        raise errors.UsageError(
            f"error: invalid GroupVersionKind format: {text}, please follow <group/version/kind>"
        )
    group = "" if parts[0] == "core" else parts[0]
    return (f"{group}/{parts[1]}" if group else parts[1]), parts[2]


def _members(place: Target, labels: str, session: Session) -> list[dict[str, Any]]:
    accept = {"Accept": selection.METADATA_ONLY}
    answer = session.client.request(
        "GET", place.path(), query={"labelSelector": labels}, headers=accept
    ).json()
    return list(answer.get("items") or ())


def delete(options: ApplyOptions, target: Target, session: Session) -> None:
    """Delete what is not wanted any more, unless only trying."""
    if options.dry_run == "client":
        return
    body: dict[str, Any] = {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "propagationPolicy": changing.CASCADES[options.cascade],
    }
    if options.grace_period >= 0:
        body["gracePeriodSeconds"] = options.grace_period
    query = {"dryRun": "All"} if options.dry_run == "server" else {}
    try:
        session.client.request("DELETE", target.path(), body, query=query)
    except errors.StatusError as error:
        if error.code != 404:
            raise


class ApplySet:
    """One set: its parent object, and what its members are labelled with."""

    def __init__(self, reference: str, session: Session) -> None:
        self._session = session
        self.parent = _parent(reference, session)
        self.id = identity(
            self.parent.name, self.parent.namespace, self.parent.resource.kind, self.parent.resource.group
        )
        self._old: dict[str, Any] = {}

    def begin(self, options: ApplyOptions) -> None:
        """Read the parent; a Secret or ConfigMap is made if there is none."""
        try:
            self._old = self._session.client.request("GET", self.parent.path()).json()
        except errors.StatusError as error:
            if error.code != 404:
                raise
            if self.parent.resource.kind not in ("Secret", "ConfigMap"):
                raise
        if self._old:
            self._check()

    def _check(self) -> None:
        metadata = self._old["metadata"]
        found = (metadata.get("labels") or {}).get(IDENTITY)
        title = f"{self.parent.resource.name}/{self.parent.name}"
        if found is None:
            raise errors.UsageError(
                f'error: ApplySet parent object "{title}" exists and is missing required label "{IDENTITY}"'
            )
        if found != self.id:
            raise errors.UsageError(
                f'error: ApplySet parent object "{title}" has incorrect value for label "{IDENTITY}" '
                f"(got: {found}, want: {self.id})"
            )

    def labelled(self, obj: dict[str, Any]) -> dict[str, Any]:
        """Return the object as a member of the set."""
        metadata = obj.get("metadata") or {}
        labels = {**(metadata.get("labels") or {}), PART_OF: self.id}
        return {**obj, "metadata": {**metadata, "labels": labels}}

    def record(self, options: ApplyOptions, targets: list[Target], *, keeps_old: bool) -> None:
        """Write down on the parent which kinds and namespaces its members are of."""
        kinds = {_member_kind(target) for target in targets}
        namespaces = {target.namespace for target in targets if target.namespace} - {self.parent.namespace}
        if keeps_old:
            kinds |= set(self._listed(MEMBERS))
            namespaces |= set(self._listed(NAMESPACES))
        annotations = {
            TOOLING: f"minikctl/v{minikctl.__version__}",
            MEMBERS: ",".join(sorted(kinds)),
            NAMESPACES: ",".join(sorted(namespaces)),
        }
        metadata: dict[str, Any] = {
            "name": self.parent.name,
            "labels": {IDENTITY: self.id},
            "annotations": annotations,
        }
        if self.parent.namespace:
            metadata["namespace"] = self.parent.namespace
        resource = self.parent.resource
        body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
        if options.dry_run == "client":
            return
        query = {
            "fieldManager": MANAGER,
            "force": True,
            "dryRun": "All" if options.dry_run == "server" else "",
        }
        media = {"Content-Type": "application/apply-patch+yaml"}
        self._session.client.request("PATCH", self.parent.path(), body, query=query, headers=media)

    def _listed(self, annotation: str) -> list[str]:
        text = ((self._old.get("metadata") or {}).get("annotations") or {}).get(annotation) or ""
        return [part for part in text.split(",") if part]

    def leftovers(self, applied: list[tuple[Target, dict[str, Any]]]) -> list[Target]:
        """Return the members that were not applied now."""
        kept = {result["metadata"].get("uid") for _, result in applied}
        namespaces = {self.parent.namespace, *self._listed(NAMESPACES)} | {t.namespace for t, _ in applied}
        found = []
        for text in sorted({*self._listed(MEMBERS), *(_member_kind(target) for target, _ in applied)}):
            kind, _, group = text.partition(".")
            for resource in self._session.discovery.all():
                if resource.kind != kind or resource.group != group or "list" not in resource.verbs:
                    continue
                for namespace in sorted(namespaces - {""}) if resource.namespaced else [""]:
                    place = selection.Target(resource, "", namespace)
                    for obj in _members(place, f"{PART_OF}={self.id}", self._session):
                        if obj["metadata"]["uid"] not in kept:
                            found.append(selection.Target(resource, obj["metadata"]["name"], namespace))
                break
        return found


def _member_kind(target: Target) -> str:
    resource = target.resource
    return f"{resource.kind}.{resource.group}" if resource.group else resource.kind


def identity(name: str, namespace: str, kind: str, group: str) -> str:
    """Return the id of the set whose parent that is (KEP-3659)."""
    text = f"{name}.{namespace}.{kind}.{group}"
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
    return f"applyset-{digest}-v1"


def _parent(reference: str, session: Session) -> Target:
    kind, slash, name = reference.partition("/")
    if not slash:
        kind, name = "secrets", reference
    if not name or "/" in name:
        raise errors.UsageError(
            f'error: invalid parent reference "{reference}": it is [RESOURCE][.GROUP]/NAME'
        )
    try:
        resource = session.discovery.find(kind)
    except errors.UsageError:
        raise errors.UsageError(
            f'error: invalid parent reference "{reference}": no matches for /, Resource={kind}'
        ) from None
    if resource.namespaced and not session.settings.namespace:
        raise errors.UsageError("error: namespace is required to use namespace-scoped ApplySet")
    return selection.Target(resource, name, session.settings.namespace if resource.namespaced else "")
