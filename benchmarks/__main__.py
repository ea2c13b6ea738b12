"""Run the benchmarks and keep their tables: ``python -m benchmarks [api] [pods] [network] …``.

Each part has a section of its own in ``results.md``, with the day and the machine of its last run.
"""

from __future__ import annotations

import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime

from benchmarks import (
    admission,
    api,
    cli,
    cni,
    dns,
    enforcement,
    harness,
    healing,
    idle,
    ingress,
    network,
    peers,
    pods,
    policies,
    programming,
    results,
    rolling,
    services,
    simulation,
    sustained,
)

PARTS: dict[str, Callable[[harness.Cluster], list[harness.Row]]] = {
    "start": lambda cluster: [cluster.start_row()],
    "api": api.measure,
    "admission": admission.measure,
    "pods": pods.measure,
    "cni": cni.measure,
    "peers": peers.measure,
    "network": network.measure,
    "sustained": sustained.measure,
    "services": services.measure,
    "ingress": ingress.measure,
    "policies": policies.measure,
    "enforcement": enforcement.measure,
    "dns": dns.measure,
    "programming": programming.measure,
    "cli": cli.measure,
    "healing": healing.measure,
    "rolling": rolling.measure,
    "simulation": simulation.measure,
    "idle": idle.measure,
}


def main(names: list[str]) -> int:
    """Run the named parts (all, when none is named) on one fresh cluster, print and keep their tables.

    A part that fails is reported and keeps its former section; the others go on. Returns the exit code.
    """
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"unknown part {unknown[0]}: it is one of {', '.join(PARTS)}", file=sys.stderr)
        return 2
    failed = []
    with harness.cluster() as cluster:
        for name in names or PARTS:
            print(f"measuring: {name}", file=sys.stderr)
            begun = time.perf_counter()
            try:
                table = harness.table(PARTS[name](cluster))
            except (RuntimeError, OSError, ValueError, LookupError, subprocess.SubprocessError):
                traceback.print_exc()
                failed.append(name)
                continue
            took = time.perf_counter() - begun
            head = f"{datetime.now(UTC):%Y-%m-%d}, {took:.0f} s, {harness.machine()}"
            print(f"{head}\n{table}", flush=True)
            results.keep(harness.RESULTS, name, f"{head}\n\n{table}")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
