"""``apply --wait``: what is up at a first look has to be up a moment later, too."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from minikctl.cli import settling
from minikctl.cli.session import Io

TITLE = "pod/p"
ENDED = {"phase": "Failed", "containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 3}}}]}

AHEAD = -3600.0


def running(age: float = AHEAD, restarts: int = 0) -> dict[str, Any]:
    """Return the status of a pod whose container was started that long ago, for the so-manyth time.

    Where nothing else is said, the server's clock is ahead: so it counts alone how long the pod was seen.
    """
    begun = (datetime.now(UTC) - timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [
            {"name": "c", "restartCount": restarts, "state": {"running": {"startedAt": begun}}}
        ],
    }


class Server:
    """Tells of a pod one status after the other, the last one for ever."""

    def __init__(self, *statuses: dict[str, Any], **container: Any) -> None:
        self.asked = 0
        self.said = io.StringIO()
        self._statuses = statuses
        self._container = container

    def request(self, method: str, path: str) -> Any:
        """Return the pod as it is now."""
        assert (method, path) == ("GET", "/pod")
        status = self._statuses[min(self.asked, len(self._statuses) - 1)]
        self.asked += 1
        pod = {
            "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "c", **self._container}]},
            "status": status,
        }
        return SimpleNamespace(json=lambda: pod)

    def wait(self, timeout: str = "20s") -> int:
        """Wait for the pod as ``apply --wait`` does."""
        resource = SimpleNamespace(qualified="pods")
        target = SimpleNamespace(resource=resource, title=TITLE, namespace="default", path=lambda: "/pod")
        session = SimpleNamespace(client=self, io=Io(io.StringIO(), self.said, io.StringIO()))
        return settling.wait([(cast(Any, target), {})], timeout, cast(Any, session))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "SETTLE_SECONDS", 0.2)
    monkeypatch.setattr(settling, "POLL_SECONDS", 0.01)


def test_a_container_that_ends_right_after_its_start_is_told() -> None:
    server = Server(running(), running(), ENDED)
    assert server.wait() == 1
    *_, last = server.said.getvalue().splitlines()
    assert last.startswith(f"{TITLE} will not run: has failed: container c ended with exit code 3")


def test_one_that_stays_up_is_watched_for_a_moment_and_it_is_said() -> None:
    server = Server(running())
    assert server.wait() == 0
    assert server.asked > 2
    watched, done = server.said.getvalue().splitlines()
    assert watched.startswith(f"{TITLE}: up; watched for")
    assert done == f"{TITLE} runs"


def test_the_moment_begins_anew_when_it_was_down() -> None:
    down = {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}
    server = Server(running(), *[down] * 30, running())
    assert server.wait() == 0
    assert server.asked > 34


def test_one_that_was_started_anew_between_two_looks_begins_anew() -> None:
    server = Server(*[running(restarts=number) for number in range(40)], ENDED)
    assert server.wait() == 1
    assert server.asked == 41


def test_one_that_has_ended_is_not_up_whatever_its_owner_knows() -> None:
    ended = {**running(60), "containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 1}}}]}
    assert Server(ended, ENDED).wait() == 1


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(Server(running(60)), id="it has run for long"),
        pytest.param(Server(running(0), readinessProbe={"exec": {}}), id="a probe says that it is ready"),
        pytest.param(Server({"phase": "Succeeded"}), id="it has done its work"),
    ],
)
def test_what_is_known_to_be_well_is_not_waited_for(server: Server) -> None:
    assert server.wait() == 0
    assert server.asked == 1
    assert server.said.getvalue() == f"{TITLE} runs\n"


def test_where_there_is_no_time_for_it_what_is_up_counts() -> None:
    assert Server(running()).wait("50ms") == 0
