"""``explain``: what the fields of a kind mean, from the server's OpenAPI documents."""

from __future__ import annotations

from minikctl import errors
from minikctl.cli import parsing
from minikctl.cli.commands import Command
from minikctl.cli.flags import Options, flag, rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.discovery import Resource
    from minikctl.cli.session import Session

FORMATS = ("plaintext", "plaintext-openapiv2")
HINT = 'Use "minikctl api-resources" for a complete list of supported resources.'


class ExplainOptions(Options):
    """What ``explain`` was asked."""

    arguments: tuple[str, ...] = rest("TYPE[.FIELD...]", default=(), complete="fields")
    recursive: bool = flag(
        "--recursive", "-R", "-r", default=False, help="Only names and types, of all fields below."
    )
    depth: int = flag("--max-depth", default=0, help="With --recursive: so many levels of fields; 0: all.")
    api_version: str = flag("--api-version", default="", help="The group and version: apps/v1.")
    output: str = flag(
        "--output",
        "-o",
        default="plaintext",
        help="plaintext, or plaintext-openapiv2: as it was before OpenAPI v3.",
        complete=" ".join(FORMATS),
    )


def run(options: ExplainOptions, session: Session) -> int:
    """Print the explanation; return the exit code."""
    from minikctl.cli.output import explaining

    if not options.arguments:
        raise errors.UsageError(f"error: You must specify the type of resource to explain. {HINT}")
    if len(options.arguments) > 1:
        raise errors.UsageError("error: We accept only this format: explain RESOURCE")
    if options.output not in FORMATS:
        raise errors.UsageError(f"error: unrecognized format: {options.output}")
    if options.depth < 0:
        raise errors.UsageError("error: --max-depth must be non-negative")
    if options.depth and not options.recursive:
        raise errors.UsageError("error: --max-depth requires --recursive")
    resource, path = _parsed(options.arguments[0], session)
    if options.api_version:
        resource = _in_version(resource, options.api_version, session)
    if options.output == "plaintext-openapiv2":
        return _in_old_form(options, resource, path, session)
    document = session.client.request("GET", f"/openapi/v3/{_place(resource)}").json()
    explainer = explaining.Explainer(document, recursive=options.recursive, depth=options.depth)
    schema = explainer.root(resource.group, resource.version, resource.kind)
    if schema is None:
        raise errors.UsageError(
            f"error: GVR ({resource.group}/{resource.version}, Resource={resource.name}) not found in OpenAPI schema"
        )
    try:
        text = explainer.text(schema, path)
    except explaining.NoSuchField as error:
        session.io.out.write(_head(resource))
        raise errors.UsageError(f'error: field "{error}" does not exist') from None
    session.io.say(_head(resource) + text)
    return 0


def _in_old_form(options: ExplainOptions, resource: Resource, path: list[str], session: Session) -> int:
    from minikctl.cli.output import explaining, explaining_v2

    document = session.client.request("GET", "/openapi/v2", headers={"Accept": "application/json"}).json()
    explainer = explaining_v2.Explainer(document, recursive=options.recursive)
    schema = explainer.root(resource.group, resource.version, resource.kind)
    if schema is None:
        raise errors.UsageError(f'error: couldn\'t find resource for "{_gvk(resource)}"')
    head = f"KIND:     {resource.kind}\nVERSION:  {resource.api_version}\n\n"
    try:
        session.io.out.write(explainer.text(schema, path, head))
    except explaining.NoSuchField as error:
        raise errors.UsageError(f'error: field "{error}" does not exist') from None
    return 0


def _gvk(resource: Resource) -> str:
    return f"{resource.group}/{resource.version}, Kind={resource.kind}"


def fields(word: str, session: Session) -> list[str]:
    """Return the names of the fields of ``TYPE[.FIELD...]``, [] where there are none."""
    from minikctl.cli.output import explaining

    resource, path = _parsed(word, session)
    document = session.client.request("GET", f"/openapi/v3/{_place(resource)}").json()
    explainer = explaining.Explainer(document)
    schema = explainer.root(resource.group, resource.version, resource.kind)
    return explainer.names(schema, path) if schema is not None else []


def _parsed(word: str, session: Session) -> tuple[Resource, list[str]]:
    """Return the resource and the path of fields; the longest beginning that names a group-qualified type counts."""
    if word.startswith("."):
        raise errors.UsageError("error: invalid jsonpath syntax, first node must be field node")
    parts = word.rstrip(".").split(".")
    for resource in session.discovery.all():
        if resource.group and word.startswith(f"{resource.qualified}."):
            return resource, word[len(resource.qualified) + 1 :].split(".")
        if resource.group and word == resource.qualified:
            return resource, []
    try:
        return session.discovery.find(parts[0]), parts[1:]
    except errors.UsageError as error:
        raise parsing.Verbatim(str(error).removeprefix("error: ")) from None


def _in_version(resource: Resource, api_version: str, session: Session) -> Resource:
    found = session.discovery.by_kind(api_version, resource.kind)
    if found is None:
        group, _, version = api_version.rpartition("/")
        raise errors.UsageError(
            f'error: couldn\'t find resource for "{group}/{version}, Resource={resource.name}"'
        )
    return found


def _place(resource: Resource) -> str:
    return f"apis/{resource.api_version}" if resource.group else f"api/{resource.version}"


def _head(resource: Resource) -> str:
    group = f"GROUP:      {resource.group}\n" if resource.group else ""
    return f"{group}KIND:       {resource.kind}\nVERSION:    {resource.version}\n\n"


COMMANDS: dict[str, Any] = {
    "explain": Command(
        "Describe the fields of a kind, from the server's OpenAPI documents.",
        ExplainOptions,
        run,
        usage="TYPE [--recursive=FALSE|TRUE] [--api-version=api-version-group]",
        examples=(
            ("What a Pod is", "minikctl explain pods"),
            ("One field", "minikctl explain deployment.spec.strategy"),
            ("All names below a field", "minikctl explain ingress.spec --recursive"),
        ),
    )
}
