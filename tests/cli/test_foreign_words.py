"""What users of kind, minikube and k3d type is answered by where it is here."""

from __future__ import annotations

import pytest

from minikctl.cli import catalog, report
from tests.cli.conftest import World


@pytest.mark.parametrize("word", sorted(report.ELSEWHERE))
def test_words_of_others_are_not_commands_here(word: str) -> None:
    assert word not in catalog.SUMMARIES


def test_who_looks_for_a_tunnel_learns_that_none_is_needed(world: World) -> None:
    found = world.run("tunnel")
    assert (found.code, found.out) == (1, "")
    assert found.err == (
        'error: unknown command "tunnel" for "minikctl"\n'
        "hint: a LoadBalancer has an address at once: see EXTERNAL-IP of `minikctl get service`\n"
    )
