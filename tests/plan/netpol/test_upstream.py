"""What Kubernetes' own tests of NetworkPolicy expect, held against compiled packets and oracle."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.plan.netpol.grid import NODE, Grid, Traced

CASES: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("upstream.yaml").read_text(encoding="utf-8")
)


def built(case: dict[str, Any]) -> Grid:
    """Return the grid of a case."""
    grid = Grid()
    for name, labels in (case.get("labels") or {}).items():
        grid.pods[name]["metadata"]["labels"].update(labels)
    for name, labels in (case.get("namespaceLabels") or {}).items():
        grid.namespaces[name].update(labels)
    for number, one in enumerate(case["policies"]):
        meta = {"name": f"policy-{number}", "namespace": one.get("namespace", "x")}
        grid.policies.append({"metadata": meta, "spec": one["spec"]})
    return grid


def expected(source: str, target: str, statements: list[dict[str, Any]]) -> bool:
    """Return what the last statement about the pair says; itself and its node a pod always reaches."""
    if source == target or NODE in (source, target):
        return True
    allowed = True
    for one in statements:
        if fnmatchcase(source, one.get("from", "*")) and fnmatchcase(target, one.get("to", "*")):
            allowed = one["allowed"]
    return allowed


@pytest.mark.parametrize("case", CASES, ids=[one["name"] for one in CASES])
def test_reachability(case: dict[str, Any]) -> None:
    traced = Traced(built(case))
    for probe in case.get("probes") or [{"port": 80, "expect": case["expect"]}]:
        port, protocol = probe["port"], probe.get("protocol", "tcp")
        wrong = [
            f"{source} -> {target}"
            for source, target in traced.grid.pairs()
            if traced.allowed(source, target, port, protocol) != expected(source, target, probe["expect"])
        ]
        assert not wrong, f"{port}/{protocol}"
