"""``cluster``: make, start, stop, look at and delete local clusters."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Annotated, Any

import typer

import minikctl
from minikctl import errors
from minikctl.cli import flags
from minikctl.cli.output import printers, table
from minikctl.cli.session import Session
from minikctl.client import home as homes
from minikctl.client import launcher

app = flags.app(help="Make, start, stop, look at and delete local clusters.", no_args_is_help=True)
VERBS = {"cluster": app}

READY_SECONDS = 120.0
POLL_SECONDS = 0.1


@app.command()
def start(
    ctx: typer.Context,
    runtime: Annotated[str, typer.Option("--runtime", help="docker, or sim: pods without containers.")] = "",
    egress: Annotated[
        bool | None, typer.Option("--egress/--no-egress", help="May pods reach beyond the cluster?")
    ] = None,
    pod_cidr: Annotated[
        str, typer.Option("--pod-cidr", help="The pods' addresses; a free range if empty.")
    ] = "",
    publish: Annotated[str, typer.Option("--publish", help="The host address of NodePorts.")] = "",
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until the system pods are ready.")
    ] = True,
) -> None:
    """Start the cluster's control plane, and make the cluster if it is new.

    Examples:  minikctl cluster start     minikctl --cluster lab cluster start --runtime sim
    """
    session = flags.of(ctx)
    asked = {"runtime": runtime, "egress": egress, "pod_cidr": pod_cidr, "publish": publish}
    _settle(session, {key: value for key, value in asked.items() if value not in ("", None)})
    begun = time.monotonic()
    with _Progress(session) as progress:
        progress.step("control plane")
        launcher.ensure_running(session.home)
        progress.done("control plane")
        if wait:
            _await_system(session, progress)
    session.io.say(f'Cluster "{session.home.name}" is running ({time.monotonic() - begun:.1f} s).')
    raise typer.Exit(0)


def _settle(session: Session, asked: dict[str, Any]) -> None:
    """Keep the settings of a new cluster; those of an existing one cannot be changed."""
    if asked.get("runtime", "docker") not in ("docker", "sim"):
        raise errors.UsageError(f"error: unknown runtime {asked['runtime']!r}: it is docker or sim")
    settings = session.home.settings()
    wanted = replace(settings, **asked)
    if session.home.exists() and wanted != settings:
        changed = ", ".join(key for key in asked if getattr(settings, key) != asked[key])
        raise errors.UsageError(
            f"error: {changed}: fixed when cluster {session.home.name} was made; "
            "delete the cluster to choose again, or use another --cluster name"
        )
    if not session.home.exists():
        session.home.save(wanted)


def _await_system(session: Session, progress: _Progress) -> None:
    path = "/api/v1/namespaces/kube-system/pods"
    deadline = time.monotonic() + READY_SECONDS
    seen: set[str] = set()
    while time.monotonic() < deadline:
        found = session.client.request("GET", path).json().get("items") or []
        for pod in found:
            name = (pod["metadata"].get("labels") or {}).get("app.kubernetes.io/name") or pod["metadata"][
                "name"
            ]
            progress.step(name)
            if _is_ready(pod) and name not in seen:
                seen.add(name)
                progress.done(name)
        if found and all(_is_ready(pod) for pod in found):
            return
        if session.home.settings().runtime == "sim" and not found:
            return
        time.sleep(POLL_SECONDS)
    raise errors.UsageError(
        "error: the system pods did not become ready; "
        "`minikctl describe pods -n kube-system` and `minikctl cluster status` say why"
    )


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


@app.command()
def stop(ctx: typer.Context) -> None:
    """Stop the control plane; the apps go on running.

    Examples:  minikctl cluster stop     minikctl --cluster lab cluster stop
    """
    session = flags.of(ctx)
    if launcher.stop(session.home):
        session.io.say(f'Control plane of cluster "{session.home.name}" stopped; its apps go on running.')
    else:
        session.io.say(f'Control plane of cluster "{session.home.name}" was not running.')
    raise typer.Exit(0)


@app.command()
def status(
    ctx: typer.Context,
    output: Annotated[str, typer.Option("--output", "-o", help="json or yaml.")] = "",
) -> None:
    """Show whether the cluster runs and how it is.  Exit code 1 when it does not run.

    Examples:  minikctl cluster status     minikctl cluster status -o json
    """
    session = flags.of(ctx)
    found = _status(session)
    if output == "json":
        session.io.say(printers.to_json(found))
    elif output == "yaml":
        session.io.out.write(printers.to_yaml(found))
    else:
        for line in table.align([[f"{key}:", _show(value)] for key, value in found.items()]):
            session.io.say(line)
    raise typer.Exit(0 if found["running"] else 1)


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
    found["serverVersion"] = session.client.request("GET", "/version").json()["gitVersion"]
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
    found["ingress"] = settings.ingress_ip
    return found


@app.command(name="list")
def list_(ctx: typer.Context) -> None:
    """List the local clusters.

    Examples:  minikctl cluster list     MINIKCTL_HOME=/srv/mk minikctl cluster list
    """
    session = flags.of(ctx)
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
    raise typer.Exit(0)


@app.command()
def kubeconfig(
    ctx: typer.Context,
    merge: Annotated[bool, typer.Option("--merge", help="Add the context to your own kubeconfig.")] = False,
) -> None:
    """Print a kubeconfig for kubectl and other clients, or add it to your own without switching to it.

    Examples:  minikctl cluster kubeconfig > kc     minikctl cluster kubeconfig --merge
    """
    from minikctl.client import kubeconfig as configs

    session = flags.of(ctx)
    launcher.ensure_running(session.home)
    own = configs.load(session.home.kubeconfig)
    if not merge:
        session.io.out.write(configs.dump(own))
        raise typer.Exit(0)
    path = configs.default_paths()[0]
    target = configs.load(path) if os.path.exists(path) else configs.empty()
    configs.write(path, configs.merge_into(target, own))
    session.io.say(f'Context "{own["current-context"]}" added to {path}.')
    raise typer.Exit(0)


@app.command()
def delete(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Every local cluster.")] = False,
) -> None:
    """Delete the cluster: its containers, network and state.

    Examples:  minikctl cluster delete     minikctl cluster delete --all
    """
    from minikctl.cli import removal

    session = flags.of(ctx)
    names = homes.list_clusters() if everything else [session.home.name]
    for name in names:
        removal.remove(homes.ClusterHome(name), session.io)
        session.io.say(f'Cluster "{name}" deleted.')
    if not names:
        session.io.say("No clusters found.")
    raise typer.Exit(0)


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
