"""``api-resources`` and ``api-versions``: what the server serves."""

from __future__ import annotations

from minikctl import errors
from minikctl.cli.commands import Command
from minikctl.cli.flags import Options, flag
from minikctl.cli.output import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from minikctl.cli.discovery import Resource
    from minikctl.cli.session import Session


class ResourcesOptions(Options):
    """What ``api-resources`` was asked."""

    output: str = flag("--output", "-o", default="", help="wide or name.", complete="wide name")
    group: str | None = flag("--api-group", default=None, help="Only this group.")
    namespaced: bool | None = flag(
        "--namespaced", default=None, help="Only namespaced kinds; with =false only the others."
    )
    no_headers: bool = flag("--no-headers", default=False, help="No header line.")
    categories: tuple[str, ...] = flag(
        "--categories", default=(), split=True, help="Only what is in all these categories, such as all."
    )
    sort_by: str = flag("--sort-by", default="", help="name or kind.", complete="name kind")
    cached: bool = flag("--cached", default=False, help="What is known already will do.")
    verbs: tuple[str, ...] = flag("--verbs", default=(), split=True, help="Only what has all these verbs.")


def resources(options: ResourcesOptions, session: Session) -> int:
    """Print the kinds that the server serves."""
    if options.sort_by not in ("", "name", "kind"):
        raise errors.UsageError("error: --sort-by accepts only name or kind")
    if not options.cached:
        session.discovery.refresh()
    wanted = set(options.verbs)
    chosen = [
        resource
        for resource in _preferred(session.discovery.all())
        if (options.group is None or resource.group == options.group)
        and (options.namespaced is None or resource.namespaced == options.namespaced)
        and wanted.issubset(resource.verbs)
        and set(options.categories).issubset(resource.categories)
    ]
    chosen.sort(key=lambda resource: (resource.group, resource.name))
    if options.sort_by:
        chosen.sort(key=lambda resource: resource.name if options.sort_by == "name" else resource.kind)
    if options.output not in ("", "wide", "name"):
        return _whole(options, chosen, session)
    if options.output == "name":
        lines = [resource.qualified for resource in chosen]
    else:
        header = ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]
        header += ["VERBS", "CATEGORIES"] if options.output == "wide" else []
        rows = [] if options.no_headers else [header]
        lines = table.align(rows + [_row(resource, options.output == "wide") for resource in chosen])
    for line in lines:
        session.io.say(line)
    return 0


def _whole(options: ResourcesOptions, chosen: list[Resource], session: Session) -> int:
    """Print the kinds as one APIResourceList, as JSON or YAML."""
    import json

    from minikctl.cli.output import printers

    if options.output not in ("json", "yaml", "kyaml"):
        raise printers.unmatched(options.output, "json,kyaml,name,wide,yaml")
    found = [
        {
            "name": resource.name,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            **({"group": resource.group} if resource.group else {}),
            "version": resource.version,
            "kind": resource.kind,
            "verbs": list(resource.verbs),
            **({"shortNames": list(resource.short_names)} if resource.short_names else {}),
            **({"categories": list(resource.categories)} if resource.categories else {}),
        }
        for resource in chosen
    ]
    listed = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "", "resources": found}
    if options.output == "json":
        session.io.say(json.dumps(listed, indent=4))
    else:
        session.io.out.write(
            printers.to_yaml(listed) if options.output == "yaml" else printers.to_kyaml(listed)
        )
    return 0


def _preferred(found: list[Resource]) -> list[Resource]:
    unique: dict[str, Resource] = {}
    for resource in found:
        unique.setdefault(resource.qualified, resource)
    return list(unique.values())


def _row(resource: Resource, wide: bool) -> list[str]:
    row = [
        resource.name,
        ",".join(resource.short_names),
        resource.api_version,
        str(resource.namespaced).lower(),
        resource.kind,
    ]
    return [*row, ",".join(resource.verbs), ",".join(resource.categories)] if wide else row


def versions(_: Options, session: Session) -> int:
    """Print the group/version pairs that the server serves."""
    session.discovery.refresh()
    for version in sorted({resource.api_version for resource in session.discovery.all()}):
        session.io.say(version)
    return 0


COMMANDS = {
    "api-resources": Command(
        "Print the kinds that the server serves.",
        ResourcesOptions,
        resources,
        examples=(
            ("Print them", "minikctl api-resources"),
            ("Names of all that live in namespaces", "minikctl api-resources --namespaced -o name"),
        ),
    ),
    "api-versions": Command(
        'Print the served API versions, in the form of "group/version".',
        run=versions,
        examples=(
            ("Print them", "minikctl api-versions"),
            ("Is there an apps/v1?", "minikctl api-versions | grep -x apps/v1"),
        ),
    ),
}
