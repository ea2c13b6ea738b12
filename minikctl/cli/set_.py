"""``set``: change one thing of a pod template: images, variables, resources, the service account; or a selector."""

from __future__ import annotations

import fnmatch
import re

from minikctl import errors
from minikctl.cli import changing, manifests, printing, report, selection, set_subject
from minikctl.cli.commands import Command
from minikctl.cli.flags import flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from minikctl.cli.selection import Target
    from minikctl.cli.session import Session

Object = "dict[str, Any]"


class SetOptions(changing.Chosen):
    """What every ``set`` is asked."""

    MANAGER = "kubectl-set"
    TYPED = True

    arguments: tuple[str, ...] = changing.chosen(
        "objects:deployments,statefulsets,daemonsets,cronjobs,jobs,pods,replicasets,replicationcontrollers"
    )

    local: bool = flag("--local", default=False, help="Change what the files say, without asking the server.")


class ImageOptions(SetOptions):
    """What ``set image`` was asked."""


class EnvOptions(SetOptions):
    """What ``set env`` was asked."""

    containers: str = flag(
        "--containers", "-c", default="*", help="Which containers; * and ? match anything."
    )
    variables: tuple[str, ...] = flag("--env", "-e", default=(), help="A variable: NAME=VALUE.")
    source: str = flag(
        "--from", default="", help="A ConfigMap or Secret to take variables from: configmap/NAME."
    )
    keys: tuple[str, ...] = flag("--keys", default=(), split=True, help="Only these keys of --from.")
    prefix: str = flag("--prefix", default="", help="What to put before the names from --from.")
    listed: bool = flag("--list", default=False, help="Show the variables instead of changing any.")
    resolve: bool = flag(
        "--resolve", default=False, help="With --list: the values of what comes from ConfigMaps and Secrets."
    )
    overwrite: bool = flag("--overwrite", default=True, help="Change variables that are there already.")


class ResourcesOptions(SetOptions):
    """What ``set resources`` was asked."""

    containers: str = flag(
        "--containers", "-c", default="*", help="Which containers; * and ? match anything."
    )
    limits: str = flag("--limits", default="", help="cpu=1,memory=1Gi.")
    requests: str = flag("--requests", default="", help="cpu=100m,memory=256Mi.")


class AccountOptions(SetOptions):
    """What ``set serviceaccount`` was asked."""

    LACKS = ("labels",)


class SelectorOptions(SetOptions):
    """What ``set selector`` was asked."""

    LACKS = ("labels", "kustomize")

    resource_version: str = flag(
        "--resource-version", default="", help="Only if the object is at this version."
    )


def split(arguments: Sequence[str], what: str) -> tuple[list[str], list[str]]:
    """Return the arguments that name objects, and those that say what to set, which come after them.

    ``what`` is that in kubectl's words.
    """
    named: list[str] = []
    changes: list[str] = []
    for argument in arguments:
        if "=" in argument[1:] or (argument.endswith("-") and argument != "-"):
            changes.append(argument)
        elif changes:
            shown = " ".join(arguments) if what == "environment" else argument
            raise errors.UsageError(f"error: all resources must be specified before {what} changes: {shown}")
        else:
            named.append(argument)
    return named, changes


def objects_of(
    options: SetOptions, named: list[str], session: Session
) -> list[tuple[Target, dict[str, Any]]]:
    """Return the chosen objects as they are now."""
    changing.check_dry_run(options.dry_run)
    printing.printer(options, printing.named(""))  # refuses a format that is none
    if options.files:
        found = [
            (selection.target_of(document.object, session, document.source), document.object)
            for document in manifests.sound(options.files, options.recursive, session.io)
        ]
        if options.local:
            return found
        return [(target, session.client.request("GET", target.path()).json()) for target, _ in found]
    if options.local:
        raise errors.UsageError(set_subject.NO_FILES)
    if not named:
        raise errors.UsageError(selection.NOTHING)
    targets: list[Target] = []
    for target in selection.parse(named, session.discovery, session.namespace):
        if target.name and options.labels:
            raise selection.twice(named)
        if target.name:
            targets.append(target)
        elif options.all or options.labels:
            targets += selection.members(target, session, labels=options.labels)
        else:
            raise errors.UsageError("error: resource(s) were provided, but no name was specified")
    return [(target, session.client.request("GET", target.path()).json()) for target in targets]


def pod_spec(target: Target, obj: dict[str, Any]) -> dict[str, Any]:
    """Return the pod spec within an object; ``UsageError`` in kubectl's words if it has none."""
    spec: dict[str, Any] = obj.get("spec") or {}
    if obj.get("kind") == "Pod":
        return spec
    if obj.get("kind") == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    template = spec.get("template")
    if not isinstance(template, dict):
        kind = f"*{(obj.get('apiVersion') or '').rpartition('/')[2]}.{obj.get('kind')}"
        raise errors.UsageError(
            f"error: {target.resource.name}/{target.name} the object is not a pod or does not have a pod template: {kind}"
        )
    found: dict[str, Any] = template.setdefault("spec", {})
    return found


def containers_of(spec: dict[str, Any], pattern: str = "*") -> list[dict[str, Any]]:
    """Return the init and app containers whose names match."""
    found = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    return [one for one in found if fnmatch.fnmatchcase(one["name"], pattern)]


def change_each(
    options: SetOptions,
    named: list[str],
    session: Session,
    change: Callable[[Target, dict[str, Any]], None],
    said: tuple[str, str],
    version: str = "",
) -> int:
    """Apply ``change`` to a copy of each object and store what differs; return the exit code.

    ``said`` is what is printed of a changed object, and before the server's words when it refuses the change.
    With a ``version`` only an object that is at this resourceVersion is changed.
    """
    import copy

    failed = False
    for target, current in objects_of(options, named, session):
        wanted = copy.deepcopy(current)
        if version:
            wanted["metadata"]["resourceVersion"] = version
            current["metadata"].pop("resourceVersion", None)  # so that it is in the patch
        try:
            change(target, wanted)
            if wanted == current and not options.local:
                continue
            result = wanted
            if not options.local and options.dry_run != "client":
                result = _store(options, target, current, wanted, session)
        except errors.MinikctlError as error:
            session.io.warn(_refusal(error, target, said[1]))
            failed = True
            continue
        changing.tell(options, target, result, said[0], session)
    return 1 if failed else 0


def _refusal(error: errors.MinikctlError, target: Target, doing: str) -> str:
    if not doing or not isinstance(error, errors.StatusError):
        return report.sentence(error)
    return f"error: failed to patch {doing} {error.message}"


def _store(
    options: SetOptions, target: Target, current: dict[str, Any], wanted: dict[str, Any], session: Session
) -> dict[str, Any]:
    from minikctl.model import kinds, patches

    kind = kinds.of(current)
    body = patches.three_way(current, wanted, current, kind)
    media = changing.STRATEGIC if kind else changing.MERGE
    return changing.send_patch(target, body, media, options, session)


def image(options: ImageOptions, session: Session) -> int:
    """Set images of containers; return the exit code."""
    named, changes = split(options.arguments, "image")
    if not named and not options.files and not options.local:
        raise errors.UsageError(selection.NOTHING)
    if not changes:
        objects_of(options, named, session)  # what is wrong with these is said first
        raise errors.UsageError("error: at least one image update is required")
    if bad := [change for change in changes if "=" not in change]:
        raise errors.UsageError(f"error: invalid image format: {', '.join(bad)}")
    wanted = dict(change.split("=", 1) for change in changes)

    def change(target: Target, obj: dict[str, Any]) -> None:
        spec = pod_spec(target, obj)
        for name, value in wanted.items():
            chosen = [one for one in containers_of(spec) if name in ("*", one["name"])]
            if not chosen and name != "*":
                session.io.warn(f'error: unable to find container named "{name}"')
                session.io.troubled = True
            for container in chosen:
                container["image"] = value

    return change_each(options, named, session, change, ("image updated", "image update to pod template:"))


def resources(options: ResourcesOptions, session: Session) -> int:
    """Set resource limits and requests; return the exit code."""
    if not options.arguments and not options.files and not options.local:
        raise errors.UsageError(selection.NOTHING)
    if not options.limits and not options.requests:
        raise errors.UsageError(
            "error: you must specify an update to requests or limits (in the form of --requests/--limits)"
        )
    limits, requests = _quantities(options.limits), _quantities(options.requests)
    said = ("resource requirements updated", "resources update to pod template")

    def change(target: Target, obj: dict[str, Any]) -> None:
        chosen = containers_of(pod_spec(target, obj), options.containers)
        if not chosen:
            raise errors.UsageError(f"error: unable to find container named {options.containers}")
        for container in chosen:
            for field, values in (("limits", limits), ("requests", requests)):
                if values:
                    container.setdefault("resources", {}).setdefault(field, {}).update(values)

    return change_each(options, list(options.arguments), session, change, said)


def _quantities(text: str) -> dict[str, str]:
    from minikctl.model import quantity

    found = {}
    for part in text.split(",") if text else ():
        name, equals, value = part.partition("=")
        if not equals:
            raise errors.UsageError(f"error: invalid argument syntax {part}, expected <resource>=<value>")
        try:
            quantity.parse(value)
        except ValueError as error:
            raise errors.UsageError(f"error: {error}") from None
        found[name] = value
    return found


def service_account(options: AccountOptions, session: Session) -> int:
    """Set the service account of pod templates; return the exit code."""
    named = list(options.arguments)
    if not named:
        raise errors.UsageError("error: serviceaccount is required")
    account = named.pop()
    if not named and not options.files:
        raise errors.UsageError(selection.NOTHING)

    def change(target: Target, obj: dict[str, Any]) -> None:
        spec = pod_spec(target, obj)
        spec["serviceAccountName"] = account
        if "serviceAccount" in spec:
            spec["serviceAccount"] = account

    return change_each(options, named, session, change, ("serviceaccount updated", "ServiceAccountName"))


def selector(options: SelectorOptions, session: Session) -> int:
    """Replace the selector of a Service; return the exit code."""
    named = list(options.arguments)
    if not named:
        raise errors.UsageError("error: one selector is required")
    text = named.pop()

    def change(target: Target, obj: dict[str, Any]) -> None:
        if obj.get("kind") != "Service":
            raise errors.UsageError("error: setting a selector is only supported for Services")
        obj.setdefault("spec", {})["selector"] = _equalities(text)

    return change_each(
        options, named, session, change, ("selector updated", ""), version=options.resource_version
    )


def _equalities(text: str) -> dict[str, str]:
    from minikctl.model import selectors

    try:
        wanted = selectors.parse(text).requirements
    except selectors.SelectorError as error:
        raise errors.UsageError(f'error: couldn\'t parse the selector string "{text}": {error}') from None
    sets = re.findall(r"(\S+)\s+in\s*\(", text)
    others = [each for each in wanted if each.operator != "In" or each.key in sets]
    if others:
        shown = " ".join(f"{{{each.key} {each.operator} [{' '.join(each.values)}]}}" for each in others)
        raise errors.UsageError(f"error: match expression [{shown}] not supported on this object")
    return {each.key: each.values[0] for each in wanted}


def env(options: EnvOptions, session: Session) -> int:
    """Set, remove or list environment variables; return the exit code."""
    from minikctl.cli import set_env

    named, changes = split(options.arguments, "environment")
    if not named and not options.files and not options.local:
        raise errors.UsageError(
            "error: one or more resources must be specified as <resource> <name> or <resource>/<name>"
        )
    given = [*changes, *options.variables]
    if options.listed:
        found = objects_of(options, named, session)
        for target, obj in found:
            set_env.changer(set_env.parse(given), [], options, session)(target, obj)
        return set_env.listed(options, found, session)
    if options.keys and not options.source:
        raise errors.UsageError(
            "error: when specifying --keys, a configmap or secret must be provided with --from"
        )
    change = set_env.changer(set_env.parse(given), set_env.from_source(options, session), options, session)
    return change_each(options, named, session, change, ("env updated", "env update to pod template:"))


_POD = "(-f FILENAME | TYPE NAME)"

COMMANDS = {
    "set": Command(
        "Change one thing of existing objects: images, environment variables, resources, service account, selector.",
        usage="SUBCOMMAND",
        examples=(
            ("Another image", "minikctl set image deployment/web web=web:2"),
            ("A variable", "minikctl set env deployment/web LOG_LEVEL=debug"),
        ),
        children={
            "image": Command(
                "Set the images of a pod template's containers.",
                ImageOptions,
                image,
                usage=f"{_POD} CONTAINER_NAME_1=CONTAINER_IMAGE_1 ...",
                examples=(
                    ("One container", "minikctl set image deployment/web web=web:2"),
                    ("All containers", "minikctl set image daemonset abc '*=abc:2'"),
                ),
            ),
            "env": Command(
                "Set, remove (NAME-) or list environment variables of a pod template.",
                EnvOptions,
                env,
                usage="RESOURCE/NAME KEY_1=VAL_1 ... KEY_N=VAL_N",
                examples=(
                    ("Set a variable", "minikctl set env deployment/web LOG_LEVEL=debug"),
                    ("From a ConfigMap", "minikctl set env --from=configmap/settings deployment/web"),
                    ("What is set", "minikctl set env pods --all --list"),
                ),
            ),
            "resources": Command(
                "Set resource requests and limits of a pod template's containers.",
                ResourcesOptions,
                resources,
                usage=f"{_POD} ([--limits=LIMITS & --requests=REQUESTS]",
                examples=(
                    ("Limits", "minikctl set resources deployment web --limits=cpu=200m,memory=512Mi"),
                    (
                        "Requests of one container",
                        "minikctl set resources deploy/web -c=web --requests=cpu=100m",
                    ),
                ),
            ),
            "selector": Command(
                "Set the selector of a Service.",
                SelectorOptions,
                selector,
                usage=f"{_POD} EXPRESSIONS [--resource-version=version]",
                examples=(
                    ("Point a Service at other pods", "minikctl set selector service web app=web,version=2"),
                    ("See what would be", "minikctl set selector svc/web app=x --dry-run=client -o yaml"),
                ),
            ),
            "serviceaccount": Command(
                "Set the service account of a pod template.",
                AccountOptions,
                service_account,
                usage=f"{_POD} SERVICE_ACCOUNT",
                examples=(
                    ("Another account", "minikctl set serviceaccount deployment web builder"),
                    ("The same in short", "minikctl set sa deploy/web builder"),
                ),
            ),
            "subject": Command(
                "Add users, groups or ServiceAccounts to a RoleBinding or ClusterRoleBinding.",
                set_subject.SubjectOptions,
                set_subject.run,
                usage="(-f FILENAME | TYPE NAME) [--user=NAME] [--group=NAME] [--serviceaccount=NAMESPACE:NAME]",
                examples=(
                    ("Add a user", "minikctl set subject clusterrolebinding admin --user=anna"),
                    (
                        "Add a ServiceAccount",
                        "minikctl set subject rolebinding read --serviceaccount=dev:robot",
                    ),
                ),
            ),
        },
        aliases={"sa": "serviceaccount"},
    )
}
