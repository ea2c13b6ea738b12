"""Pods connected by CNI plugins, beside the bare Engine's own network: a sandbox, then whole pods."""

from __future__ import annotations

import asyncio
import pathlib
import statistics
import time

from benchmarks import harness, pods
from benchmarks.harness import Cluster, Row
from minikctl.client.home import ClusterHome
from minikctl.daemon import networking
from minikctl.drivers import agent, cni, cni_records
from minikctl.drivers.docker import DockerEngine
from minikctl.model.containers import ContainerSpec
from minikctl.network import cni_nodes
from minikctl.network.cni_engine import CniEngine
from minikctl.plan.cni import conflist, ranges
from minikctl.runtime.clock import SystemClock

SANDBOXES = 20
SIZES = {1: 7, 10: 5}
"""Pods, and how often."""


def measure(cluster: Cluster) -> list[Row]:
    """Return the comparisons, on a cluster of its own."""
    del cluster
    with harness.cluster("--network", "cni") as made:
        rows = [asyncio.run(_sandboxes(made))]
        for size, rounds in SIZES.items():
            row = pods.compared(made, size, rounds)
            rows.append(Row(f"by CNI: {row.name}", row.ours, row.bare, row.ratio, row.goal))
    return rows


async def _sandboxes(cluster: Cluster) -> Row:
    """Return how long a sandbox takes to be made, started and attached; both ways in turn."""
    bare = DockerEngine(cluster.name)
    settings = ClusterHome(cluster.name, cluster.home).settings()
    plugged = await _plugged(bare, settings.name, cluster.home)
    times: dict[str, list[float]] = {"cni": [], "bare": []}
    try:
        for number in range(SANDBOXES):
            for way, engine, network in (
                ("bare", bare, settings.network),
                ("cni", plugged, settings.pods_network(settings.node_names[0])),
            ):
                labels = {"minikctl.dev/bench": cluster.name}
                spec = ContainerSpec(
                    f"{cluster.name}-{way}-{number}", "minikctl-infra:latest", labels, network=network
                )
                begun = time.perf_counter()
                made = await engine.create(spec)
                await engine.start(made)
                times[way].append(time.perf_counter() - begun)
                await engine.remove(made)
    finally:
        await bare.close()
    ours, theirs = (statistics.median(times[way]) for way in ("cni", "bare"))
    name = "sandbox made, started and attached by CNI"
    return Row(name, f"{ours * 1000:.0f} ms", f"{theirs * 1000:.0f} ms bare Engine", ours / theirs, "≤ 1")


async def _plugged(bare: DockerEngine, name: str, home: str) -> CniEngine:
    """Return an engine that attaches as the control plane does."""
    settings = ClusterHome(name, home).settings()
    found = next(each for each in await bare.networks() if each.name == settings.network)
    state = str(pathlib.Path(home, "clusters", name, "cni"))
    find = networking.agent_finder(bare, name)
    plugins = cni.AgentPlugins(agent.AgentNetns(bare, find), settings.cni_path, state)
    layout = cni_nodes.Layout(
        cluster=name,
        engine_network=settings.network,
        service_cidr=settings.service_cidr,
        image="minikctl-infra:latest",
        nodes=settings.node_names,
        ranges=ranges.split(found.subnet, settings.nodes),
        config=conflist.default(settings.network),
    )
    nodes = cni_nodes.NodeContainers(bare, plugins, find, SystemClock(), layout)
    await nodes.ensure()
    return CniEngine(bare, plugins, nodes, cni_records.Records(f"{home}/records"))
