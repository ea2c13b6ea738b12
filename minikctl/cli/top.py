"""``top``: what nodes and pods use."""

from __future__ import annotations

from minikctl import errors
from minikctl.cli.commands import Command
from minikctl.cli.flags import Options, flag, rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from minikctl.cli.session import Session

BASE = "/apis/metrics.k8s.io/v1beta1"
Used = tuple[int, int]
"""CPU in thousandths and memory in bytes."""


class TopOptions(Options):
    """What both commands take."""

    arguments: tuple[str, ...] = rest("NAME", default=(), complete="names:nodes")
    labels: str = flag("--selector", "-l", default="", help="A label selector.", complete="selector:nodes")
    sort: str = flag("--sort-by", default="", help="cpu or memory, the highest first.", complete="cpu memory")
    no_headers: bool = flag("--no-headers", default=False, help="Print no headers.")
    watch: bool = flag(
        "--watch", "-w", default=False, help="Again and again, with a sparkline of how it went.", own=True
    )
    swap: bool = flag("--show-swap", default=False, help="Also the swap memory that is used.")
    interval: int = flag("--interval", default=2, help="With --watch: every so many seconds.", own=True)


class NodeOptions(TopOptions):
    """What ``top node`` was asked."""

    capacity: bool = flag(
        "--show-capacity", default=False, help="Percent of all that the node has, not of what pods may use."
    )


class PodOptions(TopOptions):
    """What ``top pod`` was asked."""

    arguments: tuple[str, ...] = rest("NAME", default=(), complete="names:pods")
    labels: str = flag("--selector", "-l", default="", help="A label selector.", complete="selector:pods")
    everywhere: bool = flag("--all-namespaces", "-A", default=False, help="The pods of all namespaces.")
    containers: bool = flag("--containers", default=False, help="Each container by itself.")
    fields: str = flag("--field-selector", default="", help="A field selector.")
    total: bool = flag("--sum", default=False, help="Print the sum.")


def nodes(options: NodeOptions, session: Session) -> int:
    """Print what nodes use; return the exit code."""
    _check(options)
    _check_one(options, options.labels, "--selector")
    if options.watch:
        return _live(["NAME"], lambda: _items("nodes", options, session, ""), _node_use, options, session)
    found = {each["metadata"]["name"]: each for each in _items("nodes", options, session, "")}
    rows = []
    listed = session.client.request("GET", "/api/v1/nodes", query={"labelSelector": options.labels}).json()
    known = {each["metadata"]["name"]: each for each in listed["items"]}
    for metrics in _sorted(list(found.values()), _node_use, options.sort):
        name = metrics["metadata"]["name"]
        status = (known.get(name) or {}).get("status") or {}
        have = status.get("capacity" if options.capacity else "allocatable") or {}
        cpu, memory = _node_use(metrics)
        shares = (_share(cpu, _millis(have.get("cpu"))), _share(memory, _millis(have.get("memory")) // 1000))
        swap = _node_swap(metrics, status) if options.swap else []
        rows.append([name, f"{cpu}m", shares[0], f"{memory >> 20}Mi", shares[1], *swap])
    if not found and not known and not options.arguments:
        raise errors.UsageError("error: metrics not available yet")
    unknown = [] if options.arguments else [name for name in known if name not in found]
    header = ["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"]
    header += ["SWAP(bytes)", "SWAP(%)"] if options.swap else []
    rows += [[name, *["<unknown>"] * (len(header) - 1)] for name in unknown]
    return _print(rows, header, options, session)


def _node_swap(metrics: dict[str, Any], status: dict[str, Any]) -> list[str]:
    """Return what the node uses of its swap memory, and the share of it; unknown where it is not measured."""
    used = (metrics.get("usage") or {}).get("swap")
    if used is None:
        return ["<unknown>", "<unknown>"]
    taken = _millis(used) // 1000
    have = ((status.get("nodeInfo") or {}).get("swap") or {}).get("capacity", 0)
    return [f"{taken >> 20}Mi", _share(taken, int(have))]


def pods(options: PodOptions, session: Session) -> int:
    """Print what pods use; return the exit code."""
    _check(options)
    _check_one(options, options.labels or options.fields, "selector")
    namespace = "" if options.everywhere else session.namespace
    if options.watch:
        return _live(
            _names_of(options),
            lambda: _items("pods", options, session, namespace),
            _pod_use,
            options,
            session,
        )
    found = _items("pods", options, session, namespace)
    if not found and not options.arguments:
        where = f" in {namespace} namespace" if namespace else ""
        session.io.warn(f"No resources found{where}." if namespace else "No resources found")
        return 0
    rows: list[list[str]] = []
    sums = [0, 0, 0]
    for pod in _sorted(found, _pod_use, options.sort):
        meta = pod["metadata"]
        place = [meta["namespace"]] if options.everywhere else []
        cpu, memory = _pod_use(pod)
        swap = sum(_container_swap(each) for each in pod["containers"])
        sums = [sums[0] + cpu, sums[1] + memory, sums[2] + swap]
        if not options.containers:
            rows.append([*place, meta["name"], *_shown((cpu, memory)), *_swapped(options, swap)])
            continue
        for each in _sorted(pod["containers"], _container_use, options.sort, by_name=False):
            used = [*_shown(_container_use(each)), *_swapped(options, _container_swap(each))]
            rows.append([*place, meta["name"], each["name"], *used])
    header = [*_names_of(options), "CPU(cores)", "MEMORY(bytes)"]
    if options.total:
        blank = [""] * (len(header) - 2)
        line = [*blank, "________", "________", *([""] if options.swap else [])]
        rows += [line, [*blank, *_shown((sums[0], sums[1])), *_swapped(options, sums[2])]]
    header += ["SWAP(bytes)"] if options.swap else []
    return _print(rows, header, options, session)


def _check_one(options: TopOptions, selectors: str, flag: str) -> None:
    if options.arguments and selectors:
        raise errors.UsageError(f"error: only one of NAME or {flag} can be provided")


def _names_of(options: PodOptions) -> list[str]:
    names = ["POD", "NAME"] if options.containers else ["NAME"]
    return ["NAMESPACE", *names] if options.everywhere else names


def _container_swap(container: dict[str, Any]) -> int:
    """Return the bytes of swap memory that a container uses."""
    return _millis((container.get("usage") or {}).get("swap")) // 1000


def _swapped(options: TopOptions, used: int) -> list[str]:
    return [f"{used >> 20}Mi"] if options.swap else []


def _live(
    header: list[str],
    items: Callable[[], list[dict[str, Any]]],
    use: Callable[[dict[str, Any]], Used],
    options: TopOptions,
    session: Session,
) -> int:
    from minikctl.cli import live

    def sample() -> list[tuple[tuple[str, ...], Used]]:
        found: list[tuple[tuple[str, ...], Used]] = []
        for each in _sorted(items(), use, options.sort):
            meta = each["metadata"]
            place = (meta["namespace"],) if "NAMESPACE" in header else ()
            if "POD" not in header:
                found.append(((*place, meta["name"]), use(each)))
                continue
            for part in _sorted(each["containers"], _container_use, options.sort, by_name=False):
                found.append(((*place, meta["name"], part["name"]), _container_use(part)))
        if getattr(options, "total", False):
            sums = tuple(sum(used[which] for _, used in found) for which in (0, 1))
            found.append((tuple("" for _ in header), (sums[0], sums[1])))
        return found

    shown = [] if options.no_headers else header
    return live.run(shown, sample, max(1, options.interval), session)


def _check(options: TopOptions) -> None:
    if options.sort not in ("", "cpu", "memory"):
        raise errors.UsageError("error: --sort-by accepts only cpu or memory")
    if options.watch and options.swap:
        raise errors.UsageError("error: --show-swap and --watch cannot be used together")


def _items(plural: str, options: TopOptions, session: Session, namespace: str) -> list[dict[str, Any]]:
    path = f"{BASE}/namespaces/{namespace}/{plural}" if namespace else f"{BASE}/{plural}"
    try:
        if options.arguments:
            return [session.client.request("GET", f"{path}/{name}").json() for name in options.arguments]
        query = {"labelSelector": options.labels, "fieldSelector": getattr(options, "fields", "")}
        items: list[dict[str, Any]] = session.client.request("GET", path, query=query).json()["items"]
    except errors.StatusError as error:
        if error.code == 404 and not options.arguments:
            raise errors.UsageError("error: Metrics API not available") from None
        raise
    return items


def _millis(text: Any) -> int:
    from minikctl.model import quantity

    return quantity.millis(text or 0)


def _use(usage: dict[str, Any]) -> Used:
    return _millis(usage.get("cpu")), _millis(usage.get("memory")) // 1000


def _node_use(metrics: dict[str, Any]) -> Used:
    return _use(metrics.get("usage") or {})


def _container_use(container: dict[str, Any]) -> Used:
    return _use(container.get("usage") or {})


def _pod_use(pod: dict[str, Any]) -> Used:
    from minikctl.model import quantity

    uses = [each.get("usage") or {} for each in pod["containers"]]
    cpu = sum(quantity.parse(use.get("cpu") or 0) for use in uses)
    return quantity.millis(f"{float(cpu):.9f}"), sum(_use(use)[1] for use in uses)


def _shown(used: Used) -> list[str]:
    return [f"{used[0]}m", f"{used[1] >> 20}Mi"]


def _share(used: int, have: int) -> str:
    return f"{used * 100 // have}%" if have else "<unknown>"


def _sorted(found: list[dict[str, Any]], use: Any, by: str, *, by_name: bool = True) -> list[dict[str, Any]]:
    if by:
        return sorted(found, key=lambda each: -use(each)[0 if by == "cpu" else 1])
    if not by_name:
        return found
    return sorted(found, key=lambda each: (each["metadata"].get("namespace", ""), each["metadata"]["name"]))


def _print(rows: list[list[str]], header: list[str], options: TopOptions, session: Session) -> int:
    lines = rows if options.no_headers else [header, *rows]
    widths = [max(*(len(cell) for cell in column), 3) + 3 for column in zip(*lines, strict=True)]
    for line in lines:
        session.io.say("".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))
    return 0


COMMANDS = {
    "top": Command(
        "Display what nodes and pods use of CPU and memory.",
        usage="node | pod",
        children={
            "node": Command(
                "Display what nodes use.",
                NodeOptions,
                nodes,
                usage="[NAME]",
                examples=(
                    ("What each node uses", "minikctl top node"),
                    ("The busiest first", "minikctl top node --sort-by=cpu"),
                    ("How it goes on", "minikctl top node --watch"),
                ),
            ),
            "pod": Command(
                "Display what pods use.",
                PodOptions,
                pods,
                usage="[NAME]",
                examples=(
                    ("The pods of a namespace", "minikctl top pod -n tour"),
                    ("Each container, the busiest first", "minikctl top pod --containers --sort-by=cpu"),
                ),
            ),
        },
        aliases={"nodes": "node", "no": "node", "pods": "pod", "po": "pod"},
    )
}
