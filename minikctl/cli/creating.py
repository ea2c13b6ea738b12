"""What the generators of ``create`` share, and the verbs that create as they do."""

from __future__ import annotations

from minikctl import errors
from minikctl.cli import changing, flags, hashing, printing
from minikctl.cli.commands import Command
from minikctl.cli.discovery import Resource
from minikctl.cli.flags import flag, rest
from minikctl.cli.selection import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from minikctl.cli.session import Session

_RBAC = "rbac.authorization.k8s.io"
RESOURCES = {
    found.kind: found
    for found in (
        Resource("", "v1", "namespaces", "namespace", "Namespace", namespaced=False),
        Resource("", "v1", "serviceaccounts", "serviceaccount", "ServiceAccount", namespaced=True),
        Resource("", "v1", "configmaps", "configmap", "ConfigMap", namespaced=True),
        Resource("", "v1", "secrets", "secret", "Secret", namespaced=True),
        Resource("", "v1", "services", "service", "Service", namespaced=True),
        Resource("", "v1", "pods", "pod", "Pod", namespaced=True),
        Resource("", "v1", "resourcequotas", "resourcequota", "ResourceQuota", namespaced=True),
        Resource("apps", "v1", "deployments", "deployment", "Deployment", namespaced=True),
        Resource("batch", "v1", "jobs", "job", "Job", namespaced=True),
        Resource("batch", "v1", "cronjobs", "cronjob", "CronJob", namespaced=True),
        Resource("networking.k8s.io", "v1", "ingresses", "ingress", "Ingress", namespaced=True),
        Resource(
            "policy",
            "v1",
            "poddisruptionbudgets",
            "poddisruptionbudget",
            "PodDisruptionBudget",
            namespaced=True,
        ),
        Resource(
            "scheduling.k8s.io", "v1", "priorityclasses", "priorityclass", "PriorityClass", namespaced=False
        ),
        Resource(_RBAC, "v1", "roles", "role", "Role", namespaced=True),
        Resource(_RBAC, "v1", "rolebindings", "rolebinding", "RoleBinding", namespaced=True),
        Resource(_RBAC, "v1", "clusterroles", "clusterrole", "ClusterRole", namespaced=False),
        Resource(
            _RBAC, "v1", "clusterrolebindings", "clusterrolebinding", "ClusterRoleBinding", namespaced=False
        ),
    )
}
"""The resources of generated objects: known without asking, so that a client-side dry run needs no server."""

SAID_PLAINLY = ("Namespace", "Role", "ClusterRole")
"""Kinds whose refusal kubectl reports as the server words it."""

_TITLES = {"ResourceQuota": "quota", "PodDisruptionBudget": "poddisruptionbudgets"}


class Creating(changing.Reported):
    """What every command takes that creates objects."""

    MANAGER = "kubectl-create"
    TYPED = True

    validate: str = flag(
        "--validate",
        default="strict",
        bare="strict",
        help="strict: refuse unknown fields; warn: say which they are; ignore: drop them silently.",
        complete="strict warn ignore",
    )
    save_config: bool = flag(
        "--save-config", default=False, help="Remember the object in an annotation, for a later apply."
    )


class Overridden(Creating):
    """What generators take whose object may be changed by a piece of JSON before it is created."""

    overrides: str = flag("--overrides", default="", help="JSON to put into the object before it is created.")
    override_type: str = flag(
        "--override-type",
        default="merge",
        help="How: merge, json or strategic.",
        complete="merge json strategic",
    )


def overridden(options: Overridden, obj: dict[str, Any]) -> dict[str, Any]:
    """Return the object with what --overrides says."""
    if not options.overrides:
        return obj
    import yaml

    from minikctl.cli import yamlload

    try:
        patch = yamlload.load(options.overrides)
    except yaml.YAMLError:
        patch = None
    if not isinstance(patch, list if options.override_type == "json" else dict):
        raise errors.UsageError("error: Invalid JSON Patch")
    if options.override_type not in ("json", "merge", "strategic"):
        raise errors.UsageError(f"error: invalid override type: {options.override_type}")
    return changing.merged(options.override_type, obj, patch)


def field_validation(value: str) -> str:
    """Return the query parameter for a --validate value; refuse what is none, in kubectl's words."""
    changing.check_validation(value)
    return changing.LEVELS[value]


class NameOptions(Creating):
    """What a generator of objects without fields takes."""

    REQUIRED: tuple[tuple[str, str], ...] = ()
    """The flags that there must be, in order: (attribute, name)."""

    names: tuple[str, ...] = rest("NAME", default=())


class HashedOptions(NameOptions):
    """What generators of ConfigMaps and Secrets take."""

    append_hash: bool = flag(
        "--append-hash", default=False, help="Put a hash of the content behind the name."
    )


def send(
    options: Creating, target: Target, obj: dict[str, Any], session: Session, said: str = "created"
) -> None:
    """Create the object and say so."""
    changing.tell(options, *created(options, target, obj, session), said, session)


def created(
    options: Creating, target: Target, obj: dict[str, Any], session: Session
) -> tuple[Target, dict[str, Any]]:
    """Create the object, and return it as it is now and where it is."""
    validation = field_validation(options.validate)
    if options.save_config:
        from minikctl.cli import lastapplied

        obj = lastapplied.annotated(obj)
    result = obj
    if options.dry_run != "client":
        query = {
            "dryRun": "All" if options.dry_run == "server" else "",
            "fieldManager": options.manager or options.MANAGER,
            "fieldValidation": validation,
        }
        result = session.client.request("POST", target.collection.path(), obj, query=query).json()
    return Target(target.resource, result["metadata"].get("name", target.name), target.namespace), result


def make(options: Creating, obj: dict[str, Any], session: Session, said: str = "created") -> int:
    """Create a generated object; return the exit code."""
    send(options, place(options, obj, session), obj, session, said)
    return 0


def place(options: Creating, obj: dict[str, Any], session: Session) -> Target:
    """Return where a generated object is to be; it is given the namespace of the command line."""
    changing.check_dry_run(options.dry_run)
    resource = RESOURCES[obj["kind"]]
    namespace = session.settings.namespace
    if resource.namespaced and namespace:
        obj["metadata"]["namespace"] = namespace
    if resource.namespaced and options.dry_run != "client":
        namespace = session.namespace
    return Target(resource, obj["metadata"]["name"], namespace)


def generate(options: Creating, obj: dict[str, Any], session: Session) -> int:
    """Create what a generator made; a refusal is told in kubectl's words."""
    try:
        return make(options, obj, session)
    except errors.StatusError as error:
        if obj["kind"] in SAID_PLAINLY:
            raise
        kind = f"{obj['spec']['type']} service" if obj["kind"] == "Service" else obj["kind"].lower()
        kind = _TITLES.get(obj["kind"], kind)
        raise errors.UsageError(f"error: failed to create {kind}: {error.message}") from error


def require(options: NameOptions) -> None:
    """Refuse a command line that lacks flags which there must be, in kubectl's words."""
    missing = [f'"{name}"' for dest, name in options.REQUIRED if not getattr(options, dest)]
    if missing:
        raise errors.UsageError(f"error: required flag(s) {', '.join(missing)} not set")


def check(options: Creating) -> None:
    """Refuse what is wrong about how to create and print, before anything is read or asked."""
    changing.check_dry_run(options.dry_run)
    changing.check_validation(options.validate)
    printing.printer(options, printing.named(""))


def generator(form: Callable[[Any, str], dict[str, Any]]) -> Callable[[Any, Session], int]:
    """Return a command that creates what ``form`` makes of its options and the only name."""

    def run(options: NameOptions, session: Session) -> int:
        require(options)
        check(options)
        obj = form(options, flags.one(options.names))
        if getattr(options, "append_hash", False):
            obj["metadata"]["name"] += f"-{hashing.suffix(obj)}"
        return generate(options, obj, session)

    return run


def command(
    summary: str,
    options: type[NameOptions],
    form: Callable[[Any, str], dict[str, Any]],
    usage: str,
    *lines: str,
) -> Command:
    """Return a generator's command; ``form`` makes the object, each of the lines is an example."""
    examples = (("Create one", lines[0]), ("Only show what would be created", lines[1]))
    return Command(summary, options, generator(form), usage=usage, examples=examples)
