"""``api-resources`` and ``api-versions``: what the server serves."""

from __future__ import annotations

from typing import Annotated

import typer

from minikctl.cli import flags
from minikctl.cli.discovery import Resource
from minikctl.cli.output import table


def resources(
    ctx: typer.Context,
    output: Annotated[str, typer.Option("--output", "-o", help="wide or name.")] = "",
    group: Annotated[str | None, typer.Option("--api-group", help="Only this group.")] = None,
    namespaced: Annotated[
        bool | None,
        typer.Option("--namespaced/--no-namespaced", help="Only namespaced kinds, or only others."),
    ] = None,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="No header line.")] = False,
    verbs: Annotated[str, typer.Option("--verbs", help="Only what has all these verbs, by commas.")] = "",
) -> None:
    """Print the kinds that the server serves.

    Examples:  minikctl api-resources     minikctl api-resources --namespaced -o name
    """
    session = flags.of(ctx)
    session.discovery.refresh()
    wanted = {verb for verb in verbs.split(",") if verb}
    chosen = [
        resource
        for resource in _preferred(session.discovery.all())
        if (group is None or resource.group == group)
        and (namespaced is None or resource.namespaced == namespaced)
        and wanted.issubset(resource.verbs)
    ]
    chosen.sort(key=lambda resource: (resource.group, resource.name))
    if output == "name":
        lines = [resource.qualified for resource in chosen]
    else:
        header = ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]
        header += ["VERBS", "CATEGORIES"] if output == "wide" else []
        rows = [] if no_headers else [header]
        lines = table.align(rows + [_row(resource, output == "wide") for resource in chosen])
    for line in lines:
        session.io.say(line)
    raise typer.Exit(0)


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


def versions(ctx: typer.Context) -> None:
    """Print the group/version pairs that the server serves.

    Examples:  minikctl api-versions     minikctl api-versions | grep apps
    """
    session = flags.of(ctx)
    session.discovery.refresh()
    for version in sorted({resource.api_version for resource in session.discovery.all()}):
        session.io.say(version)
    raise typer.Exit(0)


VERBS = {"api-resources": flags.single(resources), "api-versions": flags.single(versions)}
