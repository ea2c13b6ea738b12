"""Which objects a command line names: ``pods``, ``pod x y``, ``deploy/web svc/web``."""

from __future__ import annotations

from minikctl import errors
from minikctl.cli import filing
from minikctl.cli.flags import flag, rest
from minikctl.client.http import path_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from minikctl.cli.discovery import Discovery, Resource
    from minikctl.cli.session import Session


class Selecting(filing.Filing):
    """How verbs that read or remove objects are told which."""

    arguments: tuple[str, ...] = rest("(TYPE [NAME...] | TYPE/NAME ...)", default=(), complete="objects")
    labels: str = flag(
        "--selector",
        "-l",
        default="",
        help="A label selector: a=b,c!=d,e in (f,g),h,!i.",
        complete="selector",
    )
    all_namespaces: bool = flag("--all-namespaces", "-A", default=False, help="Every namespace.")


class Target:
    """A collection (``name`` "") or one object; never changed once made."""

    __slots__ = ("name", "namespace", "resource")

    def __init__(self, resource: Resource, name: str = "", namespace: str = "") -> None:
        self.resource = resource
        self.name = name
        self.namespace = namespace if resource.namespaced else ""

    @property
    def title(self) -> str:
        """Return ``deployment.apps/web``."""
        return f"{self.resource.title}/{self.name}"

    def path(self, subresource: str = "") -> str:
        """Return the REST path."""
        resource = self.resource
        return path_of(resource.api_version, resource.name, self.namespace, self.name, subresource)

    @property
    def collection(self) -> Target:
        """Return the collection that the object is in."""
        return Target(self.resource, "", self.namespace)


NOTHING = (
    "error: You must provide one or more resources by argument or filename.\n"
    "Example resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n"
    "   '<resource> <name>'\n   '<resource>'"
)
"""What kubectl says when nothing is named."""

METADATA_ONLY = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"


def parse(arguments: Sequence[str], discovery: Discovery, namespace: str) -> list[Target]:
    """Return what TYPE, TYPE NAME… or TYPE/NAME… arguments mean; errors are kubectl's."""
    if not arguments:
        raise errors.UsageError(NOTHING)
    if any("/" in argument for argument in arguments):
        return [_pair(argument, discovery, namespace) for argument in arguments]
    resources = [r for name in arguments[0].split(",") for r in _types(name, discovery)]
    names = arguments[1:]
    if not names:
        return [Target(resource, "", namespace) for resource in resources]
    return [Target(resource, name, namespace) for resource in resources for name in names]


def twice(arguments: Sequence[str]) -> errors.UsageError:
    """Return the refusal of objects that are chosen by name and by a selector."""
    return errors.UsageError(
        "error: selectors and the all flag cannot be used when passing resource/name arguments"
        if "/" in arguments[0]
        else "error: name cannot be provided when a selector is specified"
    )


EVERYTHING = "everything"
"""The type that means all types but those that only tell of others."""

_TELLING = (
    "endpoints",
    "events",
    "events.events.k8s.io",
    "pods.metrics.k8s.io",
    "nodes.metrics.k8s.io",
    "componentstatuses",
)


def everything(discovery: Discovery, *, namespaced: bool = True) -> list[Resource]:
    """Return each kind that can be listed once, those of the cluster as a whole only if asked for."""
    found: dict[tuple[str, str], Resource] = {}
    for resource in discovery.all():
        if "list" in resource.verbs and resource.qualified not in _TELLING and resource.group != "extensions":
            found.setdefault((resource.group, resource.name), resource)
    return [each for each in found.values() if each.namespaced or not namespaced]


def _types(name: str, discovery: Discovery) -> list[Resource]:
    if name == EVERYTHING:
        return everything(discovery)
    return discovery.category(name) or [discovery.find(name)] if name == "all" else [discovery.find(name)]


def _pair(argument: str, discovery: Discovery, namespace: str) -> Target:
    kind, slash, name = argument.partition("/")
    if not slash:
        raise errors.UsageError(
            "error: there is no need to specify a resource type as a separate argument "
            "when passing arguments in resource/name form (e.g. 'minikctl get resource/<resource_name>' "
            "instead of 'minikctl get resource resource/<resource_name>'"
        )
    if not kind or not name or "/" in name:
        raise errors.UsageError("error: arguments in resource/name form may not have more than one slash")
    return Target(discovery.find(kind), name, namespace)


def members(
    target: Target, session: Session, *, labels: str = "", fields: str = "", chunk: int = 500
) -> list[Target]:
    """Return every object of a collection that the selectors choose."""
    query = {"labelSelector": labels, "fieldSelector": fields}
    try:
        items, _ = listed(target, session, query, chunk, accept=METADATA_ONLY)
    except errors.StatusError as error:
        if error.code not in (400, 404):
            raise
        raise list_failure(error, target, labels, fields) from error
    found = [item["metadata"] for item in items]
    return [Target(target.resource, each["name"], each.get("namespace", "")) for each in found]


def listed(
    target: Target, session: Session, query: dict[str, Any], chunk: int, accept: str = "application/json"
) -> tuple[list[dict[str, Any]], str]:
    """Return a collection's objects, asked for in pieces of ``chunk`` (0: all at once), and its resourceVersion."""
    found: list[dict[str, Any]] = []
    asked = {**query, "limit": chunk or None}
    while True:
        answer = session.client.request("GET", target.path(), query=asked, headers={"Accept": accept}).json()
        found += answer.get("items") or ()
        metadata = answer.get("metadata") or {}
        asked["continue"] = metadata.get("continue")
        if not asked["continue"]:
            return found, str(metadata.get("resourceVersion") or "")


def current(target: Target, session: Session) -> tuple[dict[str, Any] | None, str]:
    """Return an object as it is now, None if it is not there, and the revision from which to follow it.

    The object's own revision is no such: what has not changed for long was last written at one that is forgotten.
    """
    query = {"fieldSelector": f"metadata.name={target.name}"}
    items, revision = listed(target.collection, session, query, 0)
    return next((item for item in items if item["metadata"]["name"] == target.name), None), revision


def is_about(target: Target, obj: dict[str, Any]) -> bool:
    """Tell whether an object, or the table of one, is the target: not every server hears of field selectors."""
    if obj.get("kind") == "Table":
        obj = ((obj.get("rows") or [{}])[0]).get("object") or {}
    return str((obj.get("metadata") or {}).get("name", target.name)) == target.name


def everywhere(arguments: Sequence[str], session: Session) -> list[Target]:
    """Return what the arguments mean in each of the namespaces that are given."""
    found: dict[tuple[str, str, str], Target] = {}
    for namespace in session.namespaces:
        for target in parse(arguments, session.discovery, namespace):
            found.setdefault((target.resource.qualified, target.namespace, target.name), target)
    return list(found.values())


def list_failure(error: errors.StatusError, target: Target, labels: str, fields: str) -> errors.StatusError:
    """Return a list's failure in kubectl's words."""
    resource = target.resource
    named = f'"{resource.group}/{resource.version}, Resource={resource.name}"'
    if labels or fields:
        head = f'Unable to find {named} that match label selector "{labels}", field selector "{fields}"'
    else:
        head = f"Unable to list {named}"
    return errors.StatusError(error.code, error.reason, f"{head}: {error.message}", details=error.details)


NAMELESS = "error: resource name may not be empty"


def target_of(obj: dict[str, Any], session: Session, source: str = "", *, nameless: bool = False) -> Target:
    """Return the object that a manifest, read from ``source``, describes as a target.

    One without a name is refused: as a target it would be all objects of its kind.  ``nameless``: the caller
    creates objects, or refuses it in words of its own.
    """
    api_version, kind = str(obj.get("apiVersion") or ""), str(obj.get("kind") or "")
    resource = session.discovery.by_kind(api_version, kind)
    if resource is None:
        from minikctl.cli import refusals

        raise errors.UsageError(f"error: {refusals.no_match(obj, source)}")
    metadata = obj.get("metadata") or {}
    own = metadata.get("namespace") or ""
    asked = session.settings.namespace
    if resource.namespaced and own and asked and own != asked:
        raise errors.UsageError(
            f'error: the namespace from the provided object "{own}" does not match the namespace "{asked}". '
            f"You must pass '--namespace={own}' to perform this operation."
        )
    namespace = (own or session.namespace) if resource.namespaced else ""
    if not metadata.get("name") and not nameless:
        raise errors.UsageError(NAMELESS)
    return Target(resource, str(metadata.get("name") or ""), namespace)


def placed(obj: dict[str, Any], target: Target) -> dict[str, Any]:
    """Return the object with its target's namespace; one of the cluster as a whole as it is."""
    if not target.namespace:
        return obj
    return {**obj, "metadata": {**(obj.get("metadata") or {}), "namespace": target.namespace}}
