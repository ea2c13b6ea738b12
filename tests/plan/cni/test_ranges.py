"""The cluster's range in parts."""

from __future__ import annotations

import pytest

from minikctl import errors
from minikctl.plan.cni import ranges


def test_each_node_has_its_own_part() -> None:
    found = ranges.split("10.201.0.0/20", 3)
    assert found.engine == "10.201.0.0/24"
    assert found.nodes == ("10.201.1.0/24", "10.201.2.0/24", "10.201.3.0/24")
    assert found.node_address(0) == "10.201.0.254"
    assert found.node_address(2) == "10.201.0.252"


@pytest.mark.parametrize("nodes", [1, 2, 15, 16, 100, 200])
def test_the_usual_range_is_large_enough(nodes: int) -> None:
    found = ranges.split(f"10.0.0.0/{ranges.prefix(nodes)}", nodes)
    assert len({found.engine, *found.nodes}) == nodes + 1


def test_a_small_range_is_cut_smaller() -> None:
    assert ranges.split("10.0.0.0/24", 3).nodes[-1] == "10.0.0.192/26"


@pytest.mark.parametrize(("subnet", "nodes"), [("10.0.0.0/28", 1), ("10.0.0.0/24", 16), ("10.0.0.0/8", 250)])
def test_too_many_nodes_are_refused(subnet: str, nodes: int) -> None:
    with pytest.raises(errors.UsageError, match="too small to be shared"):
        ranges.split(subnet, nodes)
