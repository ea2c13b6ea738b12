"""Logs of many pods, followed while pods come and containers start again."""

from __future__ import annotations

import io
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any, cast

import pytest

from minikctl import errors
from minikctl.cli import creating, following, logs, report, session
from minikctl.client.endpoint import Endpoint

ROUNDS = 30


class Server(BaseHTTPRequestHandler):
    """Answers with two lines for each pod's log."""

    def do_GET(self) -> None:
        name = self.path.split("/")[6]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{name} one\n{name} two\n".encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def pod(name: str, state: str = "running", restarts: int = 0) -> tuple[dict[str, Any], str]:
    status = {"name": "c", "state": {state: {}}, "restartCount": restarts}
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    return {"metadata": metadata, "status": {"containerStatuses": [status]}}, "c"


class Reluctant(Server):
    """Says one line of each log; then breaks off that of "broken", and says nothing more of others."""

    def do_GET(self) -> None:
        name = self.path.split("/")[6]
        if name == "refused":
            self.send_error(400)
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        line = f"{name} one\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        if name == "whole":
            self.wfile.write(b"0\r\n\r\n")
        elif name != "broken":
            self.rfile.read(1)  # until the client goes


LATE = "context deadline exceeded (Client.Timeout or context cancellation while reading body)"


@pytest.mark.parametrize(
    ("names", "flags", "wanted"),
    [
        (["slow"], {}, LATE),
        (["broken"], {}, "unexpected EOF"),
        (["slow", "whole"], {}, LATE),
        (["slow", "broken"], {}, "unexpected EOF"),
        (["refused", "slow"], {}, "Error from server"),
        (["refused", "whole"], {"ignore_errors": True}, ""),
        (["broken", "whole"], {"ignore_errors": True}, ""),
        (["slow"], {"labels": "app=x", "follow_new": True}, LATE),
    ],
)
def test_a_log_that_breaks_off_is_a_failure(
    names: list[str], flags: dict[str, Any], wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with kubectl: also when the time that a request may take is over."""
    out = io.StringIO()
    found = [pod(name) for name in names]
    monkeypatch.setattr(logs, "_sources", lambda *_: found)
    monkeypatch.setattr(following, "POLL_SECONDS", 0.05)
    with ThreadingHTTPServer(("127.0.0.1", 0), Reluctant) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        asking = cast(
            "session.Session",
            SimpleNamespace(
                endpoint=Endpoint(f"http://127.0.0.1:{server.server_port}"),
                timeout=2.0,  # what breaks off does so before
                io=session.Io(out, io.StringIO(), io.StringIO()),
                discovery=SimpleNamespace(find=lambda _: creating.RESOURCES["Pod"]),
            ),
        )
        options = logs.LogsOptions(follow=True, **flags)
        told = ""
        try:
            assert logs.run(options, asking) == 0
        except errors.MinikctlError as error:
            told = report.sentence(error)
        server.shutdown()
    assert told.removeprefix("error: ").startswith(wanted)
    assert bool(told) == bool(wanted)
    said = out.getvalue().splitlines()
    if flags.get("ignore_errors"):
        assert "whole one" in said
        assert any(line.startswith(("error: unexpected EOF", "Error from server")) for line in said)


def test_pods_that_come_and_containers_that_start_again_are_followed_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "POLL_SECONDS", 0.05)
    out, err = io.StringIO(), io.StringIO()
    found: list[Any] = [
        [pod("a"), pod("late", "waiting")],
        errors.UsageError("error: no pods found for deployment.apps/x"),
        [pod("a"), pod("late"), pod("b")],
        [pod("a", restarts=1), pod("late"), pod("b")],
    ]
    wanted = {"a": 2, "b": 1, "late": 1}
    rounds = iter(range(ROUNDS))

    def find() -> list[tuple[dict[str, Any], str]]:
        if all(out.getvalue().count(f"{name} two") == times for name, times in wanted.items()):
            raise KeyboardInterrupt
        assert next(rounds, None) is not None, out.getvalue()
        step = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(step, errors.UsageError):
            raise step
        return list(step)

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        asking = SimpleNamespace(
            endpoint=Endpoint(f"http://127.0.0.1:{server.server_port}"),
            timeout=None,
            io=session.Io(out, err, io.StringIO()),
            discovery=SimpleNamespace(find=lambda _: creating.RESOURCES["Pod"]),
        )
        options = logs.LogsOptions(follow=True, labels="app=x", prefix=True)
        with pytest.raises(KeyboardInterrupt):
            following.run(options, [pod("a")], find, cast("session.Session", asking))
        server.shutdown()
    lines = out.getvalue().splitlines()
    assert lines.count("[pod/a/c] a one") == 2
    assert lines.count("[pod/late/c] late one") == lines.count("[pod/b/c] b two") == 1
    assert len(lines) == 8
    assert err.getvalue() == ""
