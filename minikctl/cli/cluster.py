"""``cluster``: make, start, stop, look at and delete local clusters."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import minikctl
from minikctl import errors
from minikctl.cli import founding, interrupts, snapshot, starting, timespan
from minikctl.cli.commands import Command
from minikctl.cli.flags import Options, flag
from minikctl.cli.output import printers, table
from minikctl.client import home as homes
from minikctl.client import http, launcher

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minikctl.cli.session import Session

READY_SECONDS = 120.0
ENGINE_SECONDS, DOWN_SECONDS = 10.0, 4.0
"""So long the engine is waited for before it is said that it does not answer; and one that nobody finds."""
POLL_SECONDS = 0.1
PATIENCE_SECONDS = 5.0
"""A control plane that has not answered by then is said not to."""
SILENT = (
    "the control plane does not answer: is it halted, or the machine out of memory? "
    "`minikctl cluster stop` ends it, its apps go on running"
)


class StartOptions(Options):
    """What ``start`` was asked."""

    runtime: str = flag("--runtime", default="", help="docker, or sim: pods without containers.")
    egress: str = flag(
        "--egress",
        default="",
        bare="true",
        help="May pods reach beyond the cluster? true or false.",
        complete="true false",
    )
    no_egress: bool = flag("--no-egress", default=False, help="The same as --egress=false.")
    pod_cidr: str = flag("--pod-cidr", default="", help="The pods' addresses; a free range if empty.")
    nodes: int = flag("--nodes", default=0, help="How many nodes the machine is to play.")
    node_capacity: str = flag(
        "--node-capacity",
        default="",
        help="What each node has: cpu=2,memory=4Gi,pods=50; its share if empty.",
    )
    allowed_unsafe_sysctls: str = flag(
        "--allowed-unsafe-sysctls",
        default="",
        help="Sysctls that pods may set beside the safe ones: kernel.msg*,net.core.somaxconn.",
    )
    publish: str = flag("--publish", default="", help="The host address of NodePorts.")
    network: str = flag(
        "--network", default="", help="Who connects pods: docker, or cni (plugins).", complete="docker cni"
    )
    cni_conf: str = flag(
        "--cni-conf", default="", help="Directory or file of the CNI configuration; a bridge if empty."
    )
    cni_path: str = flag(
        "--cni-path", default="", help="Directories of CNI plugins' programs, joined by ':'."
    )
    proxy_mode: str = flag(
        "--proxy-mode",
        default="",
        help="Who takes TCP connections to Services to endpoints: nftables, or userspace (a proxy per node).",
        complete="nftables userspace",
    )
    wait: bool = flag("--wait", default=True, help="Wait until the system pods are ready.")
    timeout: str = flag("--timeout", default="2m0s", duration=True, help="How long to wait for them.")


def start(options: StartOptions, session: Session) -> int:
    """Start the cluster's control plane, and make the cluster if it is new."""
    asked = {
        "runtime": options.runtime,
        "egress": False if options.no_egress else _truth(options.egress),
        "pod_cidr": options.pod_cidr,
        "publish": options.publish,
        "unsafe_sysctls": options.allowed_unsafe_sysctls,
        "nodes": options.nodes or "",
        "node_capacity": options.node_capacity,
        "pod_network": options.network,
        "cni_conf": os.path.abspath(options.cni_conf) if options.cni_conf else "",
        "cni_path": options.cni_path,
        "proxy_mode": options.proxy_mode,
    }
    founding.settle(session.home, {key: value for key, value in asked.items() if value not in ("", None)})
    begun = time.monotonic()
    with _Progress(session) as progress:
        progress.step("control plane")
        launcher.ensure_running(session.home)
        progress.done("control plane")
        if options.wait:
            _await_system(session, progress, timespan.seconds(options.timeout))
    session.io.say(f'Cluster "{session.home.name}" is running ({time.monotonic() - begun:.1f} s).')
    if options.wait and (places := starting.ingress_places(session)):
        session.io.say(
            f"Ingress answers at {' and '.join(places)}: this rootless engine may not publish ports 80 and 443. "
            "`sudo sysctl net.ipv4.ip_unprivileged_port_start=80` and `minikctl cluster stop` and `start` let it."
        )
    return 0


def _truth(text: str) -> bool | None:
    if text not in ("", "true", "false"):
        raise errors.UsageError(f'error: --egress is true or false, not "{text}"')
    return {"true": True, "false": False}.get(text)


def _await_system(session: Session, progress: _Progress, patience: float = READY_SECONDS) -> None:
    begun = time.monotonic()
    seen: set[str] = set()
    while time.monotonic() < begun + patience:
        try:
            if _is_there(session, progress, seen, time.monotonic() - begun):
                return
        except http.ConnectionRefused:
            # One that was killed holds the lock for a moment longer; or it is killed while it is waited for.
            launcher.ensure_running(session.home)
        interrupts.sleep(POLL_SECONDS)
    raise errors.UsageError(
        f"error: the system pods did not become ready within {patience:g} s; they go on starting, and "
        "`minikctl describe pods -n kube-system` and `minikctl cluster status` say why"
    )


def _is_there(session: Session, progress: _Progress, seen: set[str], waited: float) -> bool:
    """Tell whether the system's pods are ready; ``UsageError`` for what does not end by waiting so long."""
    nodes = session.client.request("GET", "/api/v1/nodes").json().get("items") or ()
    problem = _nodes_problem(nodes)
    may_last = launcher.PREPARING in problem
    bearable = DOWN_SECONDS if launcher.DOWN in problem else ENGINE_SECONDS
    if problem and not may_last and waited > bearable:
        raise errors.UsageError(
            f"error: the control plane runs, but {problem}; "
            "what is asked for waits, and goes on by itself when that is over"
        )
    found = session.client.request("GET", starting.PODS).json().get("items") or []
    # What is stored of pods is from before, as long as the node cannot look at them.
    ready = [] if problem else [*map(starting.name_of, filter(starting.is_ready, found))]
    for pod in found:
        progress.step(name := starting.name_of(pod))
        if name in ready and name not in seen:
            seen.add(name)
            progress.done(name)
    if found and not problem and _is_enough(found, session):
        return True
    settings = session.home.settings()
    return settings.runtime == "sim" and not found and not problem and len(nodes) >= settings.nodes


def _is_enough(found: list[dict[str, Any]], session: Session) -> bool:
    """Tell whether nothing is to be waited for: all pods are ready, but for those whose ports others have."""
    waiting = [pod for pod in found if not starting.is_ready(pod)]
    told = {starting.name_of(pod): starting.taken_port(pod, session) for pod in waiting}
    if not all(told.values()) or len(waiting) == len(found):
        return False
    for name, words in told.items():
        session.io.warn(f"warning: {name} cannot run: {words}; it starts by itself once that is free")
    return True


def _nodes_problem(nodes: Iterable[dict[str, Any]]) -> str:
    """Return why the first node that is not ready is not, "" if all are."""
    for node in nodes:
        if not starting.is_ready(node):
            conditions = (node.get("status") or {}).get("conditions") or ()
            told = next((c.get("message") for c in conditions if c["type"] == "Ready"), "")
            return f"node {node['metadata']['name']} is not ready: {told or 'it has said nothing yet'}"
    return ""


def stop(options: Options, session: Session) -> int:
    """Stop the control plane; the apps go on running."""
    if launcher.stop(session.home, session.io.warn):
        session.io.say(f'Control plane of cluster "{session.home.name}" stopped; its apps go on running.')
    else:
        session.io.say(f'Control plane of cluster "{session.home.name}" was not running.')
    return 0


class StatusOptions(Options):
    """What ``status`` was asked."""

    output: str = flag("--output", "-o", default="", help="json or yaml.", complete="json yaml")


def status(options: StatusOptions, session: Session) -> int:
    """Show whether the cluster runs and how it is.  Exit code 1 when it does not run."""
    if options.output not in ("", "json", "yaml"):
        raise printers.unmatched(options.output, "json,yaml")
    impatient = session.within(PATIENCE_SECONDS)
    try:
        found = _status(impatient)
    finally:
        impatient.close()
    if options.output == "json":
        session.io.say(printers.to_json(found))
    elif options.output == "yaml":
        session.io.out.write(printers.to_yaml(found))
    else:
        for line in table.align([[f"{key}:", _show(value)] for key, value in found.items()]):
            session.io.say(line)
    return 0 if found["running"] and found["health"] != SILENT else 1


def _show(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _status(session: Session) -> dict[str, Any]:
    daemon = launcher.status(session.home)
    settings = session.home.settings()
    found: dict[str, Any] = {
        "cluster": session.home.name,
        "exists": session.home.exists(),
        "running": daemon is not None,
        "runtime": settings.runtime,
        "state": session.home.path,
        "clientVersion": f"v{minikctl.__version__}",
    }
    if daemon is None:
        return found
    found |= {"pid": daemon["pid"], "apiServer": daemon["address"]}
    try:
        return found | _told(session)
    except http.ConnectionRefused:
        return found | {"health": SILENT}


def _told(session: Session) -> dict[str, Any]:
    """Return what the control plane itself says."""
    settings = session.home.settings()
    found: dict[str, Any] = {"serverVersion": session.client.request("GET", "/version").json()["gitVersion"]}
    found["health"] = session.client.request("GET", "/readyz").body.decode().strip()
    nodes = session.client.request("GET", "/api/v1/nodes").json().get("items") or ()
    for node in nodes:
        ready = [c for c in (node.get("status") or {}).get("conditions") or () if c["type"] == "Ready"]
        info = (node.get("status") or {}).get("nodeInfo") or {}
        found["engine"] = info.get("containerRuntimeVersion", "")
        found["node"] = (
            "Ready"
            if ready and ready[0]["status"] == "True"
            else (ready or [{}])[0].get("message", "unknown")
        )
        found["node"] += starting.collision(node)
    found["systemPods"] = starting.states(session)
    found["ingress"] = ", ".join(starting.ingress_places(session)) or settings.ingress_ip
    found["serviceProxy"] = {"tcp": settings.proxy_mode, "udp": "nftables", "sctp": "nftables"}
    return found


class ListOptions(Options):
    """What ``list`` was asked."""

    output: str = flag("--output", "-o", default="", help="name: only names.", complete="name")


def list_(options: ListOptions, session: Session) -> int:
    """List the local clusters."""
    if options.output not in ("", "name"):
        raise printers.unmatched(options.output, "name")
    if options.output:
        for name in homes.list_clusters():
            session.io.say(name)
        return 0
    rows = [["NAME", "STATUS", "RUNTIME", "API"]]
    for name in homes.list_clusters():
        home = homes.ClusterHome(name)
        daemon = launcher.status(home)
        address = daemon["address"] if daemon else "<none>"
        rows.append([name, "Running" if daemon else "Stopped", home.settings().runtime, address])
    if len(rows) == 1:
        session.io.warn("No clusters found.")
    else:
        for line in table.align(rows):
            session.io.say(line)
    return 0


class KubeconfigOptions(Options):
    """What ``kubeconfig`` was asked."""

    merge: bool = flag("--merge", default=False, help="Add the context to your own kubeconfig.")


def kubeconfig(options: KubeconfigOptions, session: Session) -> int:
    """Print a kubeconfig for kubectl and other clients, or add it to your own without switching to it."""
    from minikctl.client import kubeconfig as configs

    if not session.home.exists():
        from minikctl.cli import firstrun

        firstrun.tell(session.home, session.io)
    launcher.ensure_running(session.home)
    own = configs.load(session.home.kubeconfig)
    if not options.merge:
        session.io.out.write(configs.dump(own))
        return 0
    path = configs.default_paths()[0]
    configs.edit(path, lambda found: configs.merge_into(found, own))
    session.io.say(f'''Context "{own["current-context"]}" added to {path}.''')
    return 0


class DeleteOptions(Options):
    """What ``delete`` was asked."""

    everything: bool = flag("--all", default=False, help="Every local cluster.")


def delete(options: DeleteOptions, session: Session) -> int:
    """Delete the cluster: its containers, network and state."""
    from minikctl.cli import removal

    names = homes.list_clusters() if options.everything else [session.home.name]
    for name in names:
        found = removal.remove(homes.ClusterHome(name), session.io)
        session.io.say(f'Cluster "{name}" deleted.' if found else f'There is no cluster "{name}".')
    if not names:
        session.io.say("No clusters found.")
    return 0


class _Progress:
    """Says what is being waited for: live on a terminal, a line each elsewhere."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._status: Any = None
        self._waiting: list[str] = []

    def __enter__(self) -> _Progress:
        if self._session.io.err.isatty():
            from rich.console import Console

            self._status = Console(file=self._session.io.err).status("starting")
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def step(self, name: str) -> None:
        """Say that this is waited for."""
        if name not in self._waiting:
            self._waiting.append(name)
            self._show()

    def done(self, name: str) -> None:
        """Say that this is ready."""
        if name in self._waiting:
            self._waiting.remove(name)
        self._session.io.warn(f" ✓ {name}")
        self._show()

    def _show(self) -> None:
        if self._status is not None and self._waiting:
            self._status.update("waiting for " + ", ".join(self._waiting))


COMMANDS = {
    "cluster": Command(
        "Make, start, stop, look at and delete local clusters.",
        children={
            "start": Command(
                "Start the cluster's control plane; make the cluster if it is new.",
                StartOptions,
                start,
                examples=(
                    ("Start the default cluster", "minikctl cluster start"),
                    (
                        "Simulate another one, without containers",
                        "minikctl --cluster lab cluster start --runtime sim",
                    ),
                ),
            ),
            "stop": Command(
                "Stop the control plane; the apps go on running.",
                run=stop,
                examples=(
                    ("Stop the default cluster's control plane", "minikctl cluster stop"),
                    ("Stop another's", "minikctl --cluster lab cluster stop"),
                ),
            ),
            "status": Command(
                "Show whether the cluster runs and how it is; the exit code is 1 when it does not run.",
                StatusOptions,
                status,
                examples=(
                    ("Look at the cluster", "minikctl cluster status"),
                    ("Read it by a program", "minikctl cluster status -o json"),
                ),
            ),
            "snapshot": snapshot.COMMAND,
            "list": Command(
                "List the local clusters.",
                ListOptions,
                list_,
                examples=(
                    ("List them", "minikctl cluster list"),
                    ("Only their names", "minikctl cluster list -o name"),
                ),
            ),
            "kubeconfig": Command(
                "Print a kubeconfig for kubectl and other clients, or add it to your own without switching to it. "
                "A control plane that does not run is started, as its address has to be known.",
                KubeconfigOptions,
                kubeconfig,
                examples=(
                    (
                        "Use stock kubectl",
                        "minikctl cluster kubeconfig > kc && kubectl --kubeconfig kc get pods",
                    ),
                    ("Add a context to your own kubeconfig", "minikctl cluster kubeconfig --merge"),
                ),
            ),
            "delete": Command(
                "Delete the cluster: its containers, network and state.",
                DeleteOptions,
                delete,
                examples=(
                    ("Delete the default cluster", "minikctl cluster delete"),
                    ("Delete every local cluster", "minikctl cluster delete --all"),
                ),
            ),
        },
    )
}
