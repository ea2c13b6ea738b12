"""``patch``: change fields of objects."""

from __future__ import annotations

from minikctl import errors
from minikctl.cli import changing, report
from minikctl.cli.commands import Command
from minikctl.cli.discovery import Resource
from minikctl.cli.flags import flag
from minikctl.cli.selection import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.session import Session

SCALE = Resource("autoscaling", "v1", "scales", "scale", "Scale", namespaced=True)
MEDIA = {
    "json": "application/json-patch+json",
    "merge": changing.MERGE,
    "strategic": changing.STRATEGIC,
}


class PatchOptions(changing.Chosen):
    """What ``patch`` was asked."""

    MANAGER = "kubectl-patch"

    labels: str = flag(
        "--selector", "-l", default="", help="All objects with these labels.", complete="selector", own=True
    )
    all: bool = flag("--all", default=False, help="All objects of the type in the namespace.", own=True)
    body: str = flag("--patch", "-p", default="", help="The patch, as JSON or YAML.")
    body_file: str = flag("--patch-file", default="", help="A file with the patch.", complete="files")
    type: str = flag(
        "--type", default="strategic", help="json, merge or strategic.", complete="json merge strategic"
    )
    local: bool = flag("--local", default=False, help="Change what the files say, without asking the server.")
    subresource: str = flag("--subresource", default="", help="status or scale.", complete="status scale")


def run(options: PatchOptions, session: Session) -> int:
    """Change fields of objects; return the exit code."""
    if options.type not in MEDIA:
        raise errors.UsageError(
            f"error: --type must be one of [json merge strategic], not {_quoted(options.type)}"
        )
    body = _body(options.body, options.body_file)
    if options.dry_run == "client" and not isinstance(body, dict | list):
        raise errors.UsageError("error: invalid JSON document")
    if options.local and options.arguments:
        raise errors.UsageError("error: cannot specify --local and server resources")
    if options.local:
        return _local(options, body, session)
    failed = False
    for target in changing.targets(options, session):
        try:
            _patch(options, target, body, session)
        except errors.MinikctlError as error:
            report.tell(error, session)
            failed = True
    return 1 if failed else 0


def _local(options: PatchOptions, body: Any, session: Session) -> int:
    from minikctl.cli import manifests, printing

    for document in manifests.sound(options.files, options.recursive, session.io):
        found = changing.merged(options.type, document.object, body)
        title = f"{found['kind'].lower()}/{found['metadata'].get('name', '')}"
        printer = printing.printer(options, printing.named(title))
        session.io.out.write(printer([found], False) if printer else f"{title} patched\n")
    return 0


def _quoted(text: str) -> str:
    return f'"{text}"'


def _patch(options: PatchOptions, target: Target, body: Any, session: Session) -> None:
    current = session.client.request("GET", target.path(options.subresource)).json()
    result, same = current, False
    if options.dry_run == "client":
        result = changing.merged(options.type, current, body)
        same = result == current
    else:
        result = changing.send_patch(target, body, MEDIA[options.type], options, session, options.subresource)
        same = options.dry_run == "none" and _is_same(current, result, options.subresource)
    said = "patched (no change)" if same else "patched"
    if options.subresource == "scale":
        target = Target(SCALE, target.name, target.namespace)
    if options.dry_run == "server" or same:  # kubectl says so of a client's dry run only, and of a change
        changing.tell(options, target, result, said, session, dry_run="none")
        return
    changing.tell(options, target, result, said, session)


def _is_same(before: dict[str, Any], after: dict[str, Any], subresource: str) -> bool:
    """Tell whether the patch changed nothing; what controllers wrote into the status meanwhile is not its doing."""
    from minikctl.cli.output import changes

    version = after["metadata"].get("resourceVersion")
    if version is not None and before["metadata"].get("resourceVersion") == version:
        return True
    generations = [each["metadata"].get("generation") for each in (before, after)]
    return (
        not subresource
        and generations[0] == generations[1]
        and generations[0] is not None
        and changes.content(before) == changes.content(after)
    )


def _body(text: str, path: str) -> Any:
    import yaml

    from minikctl.cli import yamlload

    if text and path:
        raise errors.UsageError("error: cannot specify --patch and --patch-file together")
    if not text and not path:
        raise errors.UsageError(
            "error: must specify --patch or --patch-file containing the contents of the patch"
        )
    if path:
        try:
            with open(path, encoding="utf-8") as source:
                text = source.read()
        except OSError as error:
            reason = (error.strerror or "").lower()
            raise errors.UsageError(f"error: unable to read patch file: open {path}: {reason}") from error
    try:
        return yamlload.load(text)
    except yaml.YAMLError as error:
        raise errors.UsageError(
            f"error: unable to parse {_quoted(text)}: {yamlload.problem(error)}"
        ) from error


COMMANDS = {
    "patch": Command(
        "Change fields of an object by a strategic merge patch, a JSON merge patch or a JSON patch.",
        PatchOptions,
        run,
        usage="(-f FILENAME | TYPE NAME) [-p PATCH|--patch-file FILE]",
        examples=(
            ("Change one field", 'minikctl patch deployment web -p \'{"spec":{"replicas":2}}\''),
            (
                "Change a list's element by its place",
                "minikctl patch pod web --type=json -p "
                '\'[{"op":"replace","path":"/spec/containers/0/image","value":"new"}]\'',
            ),
        ),
    )
}
