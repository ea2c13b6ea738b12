"""``map``: the way of a request, Ingress → Service → pod, as a picture in the terminal or as SVG."""

from __future__ import annotations

from minikctl import errors
from minikctl.cli import terminal
from minikctl.cli.commands import Command
from minikctl.cli.flags import Options, flag, rest
from minikctl.cli.output import arranging, graph, picture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from minikctl.cli.session import Session

    Object = dict[str, Any]

KINDS = ("ingresses.networking.k8s.io", "services", "pods")


class MapOptions(Options):
    """What ``map`` was asked."""

    words: tuple[str, ...] = rest(default=())
    all_namespaces: bool = flag("--all-namespaces", "-A", default=False, help="Every namespace.")
    output: str = flag("--output", "-o", default="", help="svg: a picture for a page.", complete="svg")


def run(options: MapOptions, session: Session) -> int:
    """Print the picture; return the exit code."""
    if options.output not in ("", "svg"):
        raise errors.UsageError("error: --output is svg, or not given for the terminal")
    listed = {name: _listed(name, options, session) for name in KINDS}
    drawn = _drawn(*(listed[name] for name in KINDS))
    if options.output == "svg":
        session.io.out.write(picture.svg(drawn))
        return 0
    if not drawn.boxes[0] and not drawn.boxes[1] and not drawn.boxes[2]:
        session.io.warn(f"No resources found in {session.namespace} namespace.")
        return 0
    for line in picture.text(drawn, colors=terminal.has_colors(session.io.out)):
        session.io.say(line)
    return 0


def _listed(name: str, options: MapOptions, session: Session) -> list[Object]:
    from minikctl.cli.selection import Target

    resource = session.discovery.find(name)
    place = Target(resource, "", "" if options.all_namespaces else session.namespace)
    items = session.client.request("GET", place.path()).json().get("items") or ()
    return [{**each, "apiVersion": resource.api_version, "kind": resource.kind} for each in items]


def _drawn(ingresses: list[Object], services: list[Object], pods: list[Object]) -> picture.Drawing:
    """Return boxes in three columns, and lines between those that lead to one another."""
    columns = (
        [_box(each, _hosts(each)) for each in ingresses],
        [_box(each, _ports(each)) for each in services],
        [_box(each, graph.state(each), bad=graph.is_bad(graph.state(each))) for each in pods],
    )
    lines: list[tuple[tuple[int, int], tuple[int, int]]] = []
    ways = graph.Graph([*ingresses, *services, *pods])
    for column, found in ((1, services), (2, pods)):
        sources = (ingresses, services)[column - 1]
        for number, each in enumerate(found):
            for other, _ in ways.pointing_at(each):
                place = next((n for n, source in enumerate(sources) if source is other), None)
                if place is not None:
                    lines.append(((column - 1, place), (column, number)))
    return arranging.arranged(picture.Drawing(columns, sorted(lines)))


def _box(obj: Object, note: str, *, bad: bool = False) -> picture.Box:
    return picture.Box(f"{obj['kind'].lower()}/{obj['metadata']['name']}", note, bad)


def _hosts(ingress: Object) -> str:
    rules = ingress["spec"].get("rules") or ()
    return ", ".join(rule.get("host") or "*" for rule in rules) or "*"


def _ports(service: Object) -> str:
    spec = service["spec"]
    ports = ", ".join(
        f"{port['port']}{':' + str(port['nodePort']) if port.get('nodePort') else ''}"
        for port in spec.get("ports") or ()
    )
    return f"{spec.get('type', 'ClusterIP')} {ports}".strip()


COMMANDS = {
    "map": Command(
        "Draw the way of a request: Ingress → Service → pod.",
        MapOptions,
        run,
        usage="[-A] [-o svg]",
        examples=(
            ("In the terminal", "minikctl map"),
            ("As a picture", "minikctl map -n tour -o svg > tour.svg"),
        ),
    )
}
