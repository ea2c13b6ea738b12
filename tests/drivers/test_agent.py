"""The scripts that the agent's shells read, and what they answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from minikctl import errors
from minikctl.drivers import agent, fake_engine
from minikctl.drivers.netns import NetnsChange
from minikctl.runtime import clock

COMMAND = ("ip", "route", "replace", "10.96.0.0/16", "dev", "eth 0")


def test_a_script_opens_the_namespace_before_it_asks_whose_it_is() -> None:
    text = agent.script(agent.Job("c", 7, ("nft", "-f", "-"), "rules"), "mark")
    call, *rest = text.splitlines()
    assert call.startswith("enter c 7 nft -f - ")
    assert "9< /proc/7/ns/net" in call
    assert rest == ["rules", "mark", "printf '\\nmark %s\\n' $?"]


@given(some.lists(some.integers(1, 9), min_size=1, max_size=12))
def test_answers_are_cut_however_they_arrive(cuts: list[int]) -> None:
    whole = b"one\ntwo\n\nmark 0\n\nmark 1\nmark 9 is not one\n\nmark 2\n"
    answers = agent.Answers("mark")
    found: list[agent.Outcome] = []
    position = turn = 0
    while position < len(whole):
        found += answers.feed(whole[position : position + cuts[turn % len(cuts)]])
        position, turn = position + cuts[turn % len(cuts)], turn + 1
    assert found == [
        agent.Outcome(0, "one\ntwo\n"),
        agent.Outcome(1, ""),
        agent.Outcome(2, "mark 9 is not one\n"),
    ]


async def test_without_an_agent_every_change_says_so() -> None:
    async def nobody() -> str | None:
        return None

    netns = agent.AgentNetns(fake_engine.FakeEngine(clock.SystemClock()), nobody)
    with pytest.raises(errors.DriverError, match="agent does not run"):
        await netns.apply([NetnsChange("c", 7, (COMMAND,))] * 20)
    with pytest.raises(errors.DriverError, match="agent does not run"):
        await netns.read("c", 7, ["true"])
    assert await netns.apply([]) == {}
