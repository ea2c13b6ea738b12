"""``api-resources`` and ``api-versions``: what the server serves."""

from __future__ import annotations

from typing import Annotated

import typer

from minikctl.cli import flags
from minikctl.cli.discovery import Resource
from minikctl.cli.output import table


class ResourcesOptions(Options):
    """What ``resources`` was asked."""

    output: str = flag("--output", "-o", default="", help="wide or name.")
    group: str = flag("--api-group", default="", help="Only this group.")
    namespaced: bool = flag("--namespaced", default=False, help="Only namespaced kinds, or only others.")
    no_headers: bool = flag("--no-headers", default=False, help="No header line.")
    verbs: str = flag("--verbs", default="", help="Only what has all these verbs, by commas.")


def resources(options: ResourcesOptions, session: Session) -> int:
    """Print the kinds that the server serves."""
    session.discovery.refresh()
    wanted = {verb for verb in options.verbs.split(",") if verb}
    chosen = [
        resource
        for resource in _preferred(session.discovery.all())
        if (options.group is None or resource.group == options.group)
        and (options.namespaced is None or resource.namespaced == options.namespaced)
        and wanted.issubset(resource.verbs)
    ]
    chosen.sort(key=lambda resource: (resource.group, resource.name))
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


# COMMAND resources: 'Print the kinds that the server serves.\n\nExamples:  minikctl api-resources     minikctl api-resources --namespaced -o name'


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


class VersionsOptions(Options):
    """What ``versions`` was asked."""


def versions(options: VersionsOptions, session: Session) -> int:
    """Print the group/version pairs that the server serves."""
    session.discovery.refresh()
    for version in sorted({resource.api_version for resource in session.discovery.all()}):
        session.io.say(version)
    return 0


# COMMAND versions: 'Print the group/version pairs that the server serves.\n\nExamples:  minikctl api-versions     minikctl api-versions | grep apps'


VERBS = {"api-resources": flags.single(resources), "api-versions": flags.single(versions)}
