"""What Services are told of their ports, by two who publish them."""

from __future__ import annotations

import pytest

from minikctl import errors
from minikctl.network.outcomes import Outcomes
from minikctl.plan import publisher
from tests.fakes.client import FakeClient
from tests.network.bench import Events, event_of
from tests.plan.proxy import cases

WEB = cases.service("web", type="NodePort")


async def test_ports_are_published_once_all_parts_that_failed_say_so() -> None:
    events = Events()
    outcomes = Outcomes(FakeClient(), events, ("one", "two"))
    await outcomes.known()
    outcomes.fine("one", WEB)
    assert events.found == []
    outcomes.failed("one", publisher.taken(WEB, "x"))
    outcomes.failed("two", publisher.taken(WEB, "y"))
    outcomes.fine("one", WEB)
    assert events.reasons("web") == ["PublishFailed"] * 2
    outcomes.fine("two", WEB)
    outcomes.fine("two", WEB)
    assert events.reasons("web") == ["PublishFailed", "PublishFailed", "Published"]


async def test_failures_of_before_hold_until_all_parts_have_looked() -> None:
    client, events = FakeClient(), Events()
    client.put(event_of(publisher.taken(WEB, "x")))
    outcomes = Outcomes(client, events, ("one", "two"))
    await outcomes.known()
    await outcomes.known()
    outcomes.fine("one", WEB)
    assert events.found == []
    outcomes.fine("two", WEB)
    assert events.reasons("web") == ["Published"]


async def test_nothing_is_told_before_it_is_known_what_was() -> None:
    client = FakeClient()
    outcomes = Outcomes(client, Events(), ("one",))
    with pytest.raises(RuntimeError):
        outcomes.fine("one", WEB)
    client.failures.append(lambda *call: errors.expired("later") if call[0] == "list" else None)
    with pytest.raises(errors.StatusError):
        await outcomes.known()
    client.failures.clear()
    await outcomes.known()
    outcomes.fine("one", WEB)
