"""Run the benchmarks and keep their table: ``python -m benchmarks [api] [pods] [network] …``."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime

from benchmarks import (
    admission,
    api,
    cli,
    harness,
    healing,
    idle,
    network,
    pods,
    policies,
    rolling,
    simulation,
)

PARTS = {
    "api": api.measure,
    "admission": admission.measure,
    "pods": pods.measure,
    "network": network.measure,
    "policies": policies.measure,
    "cli": cli.measure,
    "healing": healing.measure,
    "rolling": rolling.measure,
    "simulation": simulation.measure,
    "idle": idle.measure,
}


def main(names: list[str]) -> int:
    """Run the named parts (all, when none is named) on one fresh cluster and print the table."""
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"unknown part {unknown[0]}: it is one of {', '.join(PARTS)}", file=sys.stderr)
        return 2
    rows: list[harness.Row] = []
    begun = time.perf_counter()
    with harness.cluster() as cluster:
        took = time.perf_counter() - begun
        rows.append(harness.Row("cluster start to system pods Ready", f"{took:.1f} s", "", None, "< 10 s"))
        for name in names or PARTS:
            print(f"measuring: {name}", file=sys.stderr)
            rows += PARTS[name](cluster)
    text = harness.table(rows)
    print(text)
    print(harness.machine())
    if not names:
        head = f"# Results of `make bench`\n\n{datetime.now(UTC):%Y-%m-%d}, {harness.machine()}\n\n"
        harness.RESULTS.write_text(head + text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
