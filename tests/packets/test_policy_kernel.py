"""Generated policies on real packets: kernel, packet tracer and oracle agree on all pairs of the grid."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from minikctl.model import objects
from minikctl.plan import netpol, netpol_nft
from minikctl.plan.proxy import Ruleset
from tests.packets.lab import Lab, lab, possible
from tests.plan.netpol import generated
from tests.plan.netpol.grid import OUTSIDE, Grid, Traced, policy

pytestmark = [
    pytest.mark.skipif(not possible(), reason="needs root, nft and network namespaces"),
    pytest.mark.timeout(120),
]

PROBES = [(80, "tcp"), (81, "tcp"), (80, "udp")]


@pytest.fixture(scope="module")
def real() -> Iterator[Lab]:
    addresses = {name: Grid().ip(name) for name in Grid().pods}
    with lab({**addresses, OUTSIDE: OUTSIDE}) as made:
        yield made


TABLES: dict[str, Ruleset | None] = {}


def program(real: Lab, grid: Grid) -> None:
    """Put the tables of all pods in place by what differs from before, as the node does."""
    compiler = netpol.Compiler(grid.state())
    for name, pod in grid.pods.items():
        table = compiler.table(objects.key(pod))
        text = netpol_nft.change(TABLES.get(name), table)
        if text:
            real.nft(name, text)
        TABLES[name] = table


def differences(real: Lab, grid: Grid, probes: list[tuple[int, str]]) -> list[str]:
    """Return the connections whose real fate is not what the oracle says.

    What should be open but did not answer in time is asked again with more time: a busy machine is no firewall.
    """
    return _differing(real, grid, probes, 0.25) and _differing(real, grid, probes, 3.0)


def _differing(real: Lab, grid: Grid, probes: list[tuple[int, str]], seconds: float) -> list[str]:
    traced = Traced(grid)
    ends = [*grid.pods, OUTSIDE]
    wanted = {
        source: [(grid.ip(target), port, protocol) for target in ends for port, protocol in probes]
        for source in ends
    }
    found = real.probe(wanted, seconds)
    return [
        f"{source} -> {target}:{port}/{protocol} is {opened}"
        for source in ends
        for (target, (port, protocol)), opened in zip(
            itertools.product(ends, probes), found[source], strict=True
        )
        if (source in grid.pods or target in grid.pods)
        and opened != traced.allowed(source, target, port, protocol)
    ]


def test_without_policies_everything_is_reachable(real: Lab) -> None:
    grid = Grid()
    program(real, grid)
    assert differences(real, grid, PROBES) == []


@seed(7)
@settings(
    max_examples=10,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[*HealthCheck],
)
@given(generated.grids())
def test_generated_policies(real: Lab, grid: Grid) -> None:
    program(real, grid)
    assert differences(real, grid, PROBES) == []


def test_known_connections_stay_and_udp_flows_are_forgotten(real: Lab) -> None:
    open_, closed = Grid(), Grid(policies=[policy(policyTypes=["Ingress"])])
    program(real, open_)
    script = (
        "import socket, sys, time\n"
        "udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.settimeout(20)\n"
        "udp.connect((sys.argv[1], 80))\n"
        "for _ in range(2):\n"
        "    udp.send(b'?')\n"
        "    try:\n"
        "        udp.recv(9); print('answered', flush=True); udp.settimeout(0.3)\n"
        "    except OSError:\n"
        "        print('silent', flush=True)\n"
        "    sys.stdin.readline()\n"
    )
    words = ["nsenter", "-t", str(real.pids["y/a"]), "-n", sys.executable, "-c", script, open_.ip("x/a")]
    client = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert client.stdin is not None
        assert client.stdout is not None
        assert client.stdout.readline() == "answered\n"
        program(real, closed)
        new = netpol.Compiler(closed.state()).table(("x", "a"))
        for command in netpol_nft.purge_commands(None, new, open_.ip("x/a")):
            real.run("x/a", *command)
        client.stdin.write("\n")
        client.stdin.flush()
        assert client.stdout.readline() == "silent\n"
    finally:
        client.kill()
        client.communicate()
