"""What the node says of plugins that cannot attach pods."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from minikctl.daemon.plugging import NOT_READY, Plugged
from minikctl.plan.cni import protocol
from tests.network.test_cni_engine import Bench, bench

__all__ = ["bench"]


def plugged(bench: Bench, told: list[str]) -> Plugged:
    core = cast("Any", SimpleNamespace(settings=SimpleNamespace(node_names=("n1", "n2"))))
    netns = cast("Any", None)

    def changed() -> None:
        told.append(made.problem)

    made = Plugged(bench.engine, bench.nodes, bench.plugins, core, netns, changed)
    return made


async def test_what_plugins_refuse_is_told_until_they_do_not(bench: Bench) -> None:
    told: list[str] = []
    made = plugged(bench, told)
    bench.plugins.refuse.add(("STATUS", "second"))
    for _ in range(2):
        with pytest.raises(protocol.PluginError):
            await made.ask()
    assert told == [f'{NOT_READY}plugin type="second" failed (status): not now']
    bench.plugins.refuse.clear()
    bench.plugins.calls.clear()
    await made.ask()
    assert (told[1:], made.problem) == ([""], "")
    asked = [command for command, _ in bench.plugins.commands()]
    assert asked == ["STATUS"] * 4, "versions are known, and each node has two plugins"
