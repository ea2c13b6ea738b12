"""``debug``: look into a pod with a container beside its own, into a copy of it, or into a node."""

from __future__ import annotations

import json
import time

import yaml

from minikctl import errors
from minikctl.cli import attach, debugging, generators, interrupts, parsing, pods, selection, yamlload
from minikctl.cli.commands import Command
from minikctl.cli.earlier import Earlier
from minikctl.cli.flags import Options, after_dash, flag, rest
from minikctl.cli.selection import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.session import Session

START_SECONDS = 60.0
POLL_SECONDS = 0.2
LEGACY = (
    "--profile=legacy is deprecated and planned to be removed in v1.39. It is recommended to specify other "
    'profile, for example "--profile=general".'
)


class DebugOptions(Options):
    """What ``debug`` was asked."""

    arguments: tuple[str, ...] = rest("(POD | TYPE/NAME)", default=(), complete="pods")
    command: tuple[str, ...] = after_dash(default=())
    image: str = flag("--image", default="", help="The image of the container that looks around.")
    container: str = flag(
        "--container", "-c", default="", help="Its name, or that of one to change in the copy."
    )
    target: str = flag("--target", default="", help="The container whose processes it is to see.")
    env: tuple[str, ...] = flag("--env", default=(), help="A variable: NAME=VALUE.")
    pull: str = flag("--image-pull-policy", default="", help="Always, IfNotPresent or Never.")
    stdin: bool = flag("--stdin", "-i", default=False, help="Keep its standard input open.")
    tty: bool = flag("--tty", "-t", default=False, help="Give it a terminal.")
    attach: bool | None = flag("--attach", default=None, help="Attach to it; if not given, with -i.")
    quiet: bool = flag("--quiet", "-q", default=False, help="Say nothing besides.")
    profile: str = flag(
        "--profile",
        default="general",
        help="What it may do: general, baseline, restricted, netadmin, sysadmin or legacy.",
        complete=" ".join(debugging.PROFILES),
    )
    custom: str = flag(
        "--custom", default="", help="A file with further fields of the container.", complete="files"
    )
    only_arguments: bool = flag(
        "--arguments-only", default=False, help="What stands after -- are arguments of the image's program."
    )
    copy_to: str = flag("--copy-to", default="", help="The name of a copy of the pod to look into instead.")
    replace: bool = flag("--replace", default=False, help="With --copy-to: delete the original.")
    same_node: bool = flag("--same-node", default=False, help="With --copy-to: on the same node.")
    share: bool = flag(
        "--share-processes", default=True, help="With --copy-to: its containers see one another."
    )
    images: tuple[str, ...] = flag("--set-image", default=(), split=True, help="With --copy-to: NAME=IMAGE,…")
    keep_labels: bool = flag("--keep-labels", default=False, help="The copy keeps the labels.")
    keep_annotations: bool = flag("--keep-annotations", default=False, help="The copy keeps the annotations.")
    keep_init: bool = flag("--keep-init-containers", default=True, help="The copy keeps the init containers.")
    keep_liveness: bool = flag("--keep-liveness", default=False, help="The copy keeps liveness probes.")
    keep_readiness: bool = flag("--keep-readiness", default=False, help="The copy keeps readiness probes.")
    keep_startup: bool = flag("--keep-startup", default=False, help="The copy keeps startup probes.")
    files: tuple[str, ...] = flag(
        "--filename", "-f", default=(), split=True, help="Files that name pods.", complete="files"
    )


def run(options: DebugOptions, session: Session) -> int:
    """Make what looks around, and attach to it if asked; return the exit code."""
    _check(options)
    if options.profile == "legacy":
        session.io.warn(LEGACY)
    for target in _targets(options, session):
        if target.resource.qualified == "nodes":
            pod, name = _on_node(options, target, session)
        elif target.resource.qualified != "pods":
            resource = target.resource
            raise errors.UsageError(
                f'error: "{resource.api_version}, Kind={resource.kind}" not supported by debug'
            )
        elif options.copy_to:
            pod, name = _copy(options, target, session)
        else:
            pod, name = _beside(options, target, session)
        if options.attach if options.attach is not None else options.stdin:
            _attach(options, pod, name, session)
    return 0


def _check_pairs(name: str, entries: tuple[str, ...]) -> None:
    for entry in entries:
        if "=" not in entry:
            raise parsing.BadCommandLine(
                f'invalid argument "{entry}" for "--{name}" flag: {entry} must be formatted as key=value',
                "minikctl debug --help",
            )


def _check(options: DebugOptions) -> None:
    _check_pairs("env", options.env)
    _check_pairs("set-image", options.images)
    if not options.image and not (
        options.copy_to and (options.images or options.container or options.command)
    ):
        if options.images and not options.copy_to:
            raise errors.UsageError("error: --set-image may only be used with --copy-to.")
        if not options.copy_to:
            raise errors.UsageError("error: you must specify --image when not using --copy-to.")
        raise errors.UsageError("error: you must specify --image, --set-image or command arguments.")
    if options.command and not options.image and not options.container:
        raise errors.UsageError(
            "error: you must specify an existing container or a new image when specifying args."
        )
    if not options.copy_to:
        given = (
            ("replace", options.replace),
            ("same-node", options.same_node),
            ("set-image", options.images),
        )
        for name, value in given:
            if value:
                raise errors.UsageError(f"error: --{name} may only be used with --copy-to.")
    elif options.target:
        raise errors.UsageError(
            "error: --target is incompatible with --copy-to. Use --share-processes instead."
        )
    if options.profile not in debugging.PROFILES:
        raise errors.UsageError(f"error: unknown profile: {options.profile}")
    if options.custom:
        _custom(options.custom)
    if options.image:
        generators.check_image(options.image)
    if options.pull:
        generators.check_pull_policy(options.pull)
    if options.tty and not options.stdin:
        raise errors.UsageError("error: -i/--stdin is required for containers with -t/--tty=true")
    if not options.arguments and not options.files:
        raise errors.UsageError("error: NAME or --filename is required for debug")


def _targets(options: DebugOptions, session: Session) -> list[Target]:
    if options.files:
        from minikctl.cli import manifests

        documents = manifests.sound(options.files, False, session.io)
        return [selection.target_of(document.object, session, document.source) for document in documents]
    found = []
    for argument in options.arguments:
        if "/" in argument:
            found += selection.parse([argument], session.discovery, session.namespace)
        else:
            found.append(Target(session.discovery.find("pods"), argument, session.namespace))
    return found


def _looking(options: DebugOptions, name: str, *, on_node: bool = False) -> dict[str, Any]:
    found = debugging.container(name, options)
    found = debugging.secured(found, options.profile, on_node=on_node)
    if options.custom:
        found = debugging.merged(found, _custom(options.custom))
    return found


def _custom(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as source:
            found = yamlload.load(source.read())
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise errors.UsageError(
            f"error: must pass a container spec json file for custom profile: open {path}: {reason}"
        ) from error
    except yaml.YAMLError as error:
        why = f"error converting YAML to JSON: {yamlload.problem(error)}"
        raise errors.UsageError(f"error: {path} does not contain a valid container spec: {why}") from error
    if not isinstance(found, dict):
        raise errors.UsageError(f"error: {path} describes no container")
    return found


def _name(options: DebugOptions, session: Session) -> str:
    if options.container:
        return options.container
    name = f"debugger-{generators.chance()}"
    if not options.quiet:
        session.io.warn(f"Defaulting debug container name to {name}.")
    return name


def _beside(options: DebugOptions, target: Target, session: Session) -> tuple[dict[str, Any], str]:
    session.client.request("GET", target.path())
    name = _name(options, session)
    looking = _looking(options, name)
    if options.target:
        if not options.quiet:
            session.io.warn(
                f'Targeting container "{options.target}". If you don\'t see processes from this container it may '
                "be because the container runtime doesn't support this feature."
            )
        looking["targetContainerName"] = options.target
    body = json.dumps({"spec": {"ephemeralContainers": [looking]}}).encode()
    media = {"Content-Type": "application/strategic-merge-patch+json"}
    query = {"fieldManager": "kubectl"}
    path = target.path("ephemeralcontainers")
    found = session.client.request("PATCH", path, body, query=query, headers=media).json()
    return found, name


def _copy(options: DebugOptions, target: Target, session: Session) -> tuple[dict[str, Any], str]:
    original = session.client.request("GET", target.path()).json()
    flags = {
        "labels": options.keep_labels,
        "annotations": options.keep_annotations,
        "initContainers": options.keep_init,
        "livenessProbe": options.keep_liveness,
        "readinessProbe": options.keep_readiness,
        "startupProbe": options.keep_startup,
    }
    keeps = [part for part, kept in flags.items() if kept]
    pod = debugging.copied(
        original, options.copy_to, keeps=keeps, same_node=options.same_node, share=options.share
    )
    if options.images:
        pod = debugging.with_images(pod, options.images)
    names = [each["name"] for each in pod["spec"]["containers"]]
    name = options.container or ("" if options.image else names[0])
    if name in names:
        looking = _changed(options, next(each for each in pod["spec"]["containers"] if each["name"] == name))
        pod["spec"]["containers"] = [
            looking if each["name"] == name else each for each in pod["spec"]["containers"]
        ]
    elif options.image:
        name = name or _name(options, session)
        pod["spec"]["containers"].append(_looking(options, name))
    else:
        raise errors.UsageError(f'error: container "{name}" not found in pod "{target.name}"')
    made = session.client.request(
        "POST", target.collection.path(), pod, query={"fieldManager": "kubectl"}
    ).json()
    if options.replace:
        session.client.request("DELETE", target.path(), {"kind": "DeleteOptions", "apiVersion": "v1"})
    return made, name


def _changed(options: DebugOptions, found: dict[str, Any]) -> dict[str, Any]:
    """Return a container of the copy with what the command line says of it."""
    looking = dict(found)
    if options.image:
        looking["image"] = options.image
    if options.command:
        if options.only_arguments:
            looking["args"] = list(options.command)
        else:
            looking["command"] = list(options.command)
            looking.pop("args", None)
    if options.stdin:
        looking["stdin"] = True
    if options.tty:
        looking["tty"] = True
    return debugging.secured(looking, options.profile)


def _on_node(options: DebugOptions, target: Target, session: Session) -> tuple[dict[str, Any], str]:
    session.client.request("GET", target.path())
    name = options.container or "debugger"
    pod_name = f"node-debugger-{target.name}-{generators.chance()}"
    if not options.quiet:
        session.io.say(f"Creating debugging pod {pod_name} with container {name} on node {target.name}.")
        session.io.out.flush()
    pod = debugging.on_node(target.name, pod_name, _looking(options, name, on_node=True), options.profile)
    place = Target(session.discovery.find("pods"), "", session.namespace)
    made = session.client.request("POST", place.path(), pod, query={"fieldManager": "kubectl"}).json()
    return made, name


def _attach(options: DebugOptions, pod: dict[str, Any], name: str, session: Session) -> None:
    """Attach to the container once it runs, with what it has written by then; one that has ended gives its log."""
    metadata = pod["metadata"]
    deadline = time.monotonic() + START_SECONDS
    while True:
        pod = pods.in_namespace(metadata["name"], metadata["namespace"], session)
        state = _state(pod, name)
        if "running" in state or "terminated" in state:
            break
        if time.monotonic() > deadline:
            waiting = (state.get("waiting") or {}).get("message") or "it has not started"
            raise errors.UsageError(f"error: timed out waiting for container {name}: {waiting}")
        interrupts.sleep(POLL_SECONDS)
    if "running" in state:
        wanted = attach.AttachOptions(stdin=options.stdin, tty=options.tty, quiet=options.quiet)
        earlier = Earlier(pod, name, session)
        try:
            attach.join(wanted, pod, name, session, earlier.show)
        except errors.MinikctlError as error:
            session.io.warn(attach.falling_back(metadata["name"], error))
        else:
            return
        if earlier.is_shown:
            earlier.show()
            return
    from minikctl.cli import logs

    logs.run(logs.LogsOptions(arguments=(metadata["name"],), container=name, follow=True), session)


def _state(pod: dict[str, Any], name: str) -> dict[str, Any]:
    status = pod.get("status") or {}
    groups = ("ephemeralContainerStatuses", "containerStatuses")
    found = (each for group in groups for each in status.get(group) or ())
    return dict(next((each.get("state") or {} for each in found if each["name"] == name), {}))


COMMANDS = {
    "debug": Command(
        "Look into a pod with a container beside its own, into a copy of it, or into a node.",
        DebugOptions,
        run,
        usage="(POD | TYPE[[.VERSION].GROUP]/NAME) [ -- COMMAND [args...] ]",
        examples=(
            ("A shell beside a pod's containers", "minikctl debug web-1 -it --image=busybox --target=web"),
            (
                "A copy that does not crash",
                "minikctl debug web-1 -it --copy-to=web-debug --container=web -- sh",
            ),
            ("See a node", "minikctl debug node/minikctl-default -it --image=busybox"),
        ),
    )
}
