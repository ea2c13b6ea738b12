"""What is followed from where: not from an object's own revision, which may be one that the server has forgotten."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.cli.conftest import call

OLD, NOW = "5", "900"
GROUP = {"kind": "APIResourceList", "groupVersion": "v1"}
RESOURCES = [
    {
        "name": "configmaps",
        "singularName": "configmap",
        "namespaced": True,
        "kind": "ConfigMap",
        "verbs": ["get"],
    }
]


def _object(revision: str, **more: Any) -> dict[str, Any]:
    meta = {"name": "old", "namespace": "default", "uid": "u", "resourceVersion": revision, **more}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}


class Forgetful(BaseHTTPRequestHandler):
    """Has one old object, and no memory of the revision at which it was written; it changes once, then goes."""

    asked: list[str] = []  # noqa: RUF012 - of the class, on purpose

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        self.asked.append(self.path)
        if url.path == "/api/v1":
            return self._say({**GROUP, "resources": RESOURCES})
        if url.path in ("/api", "/apis"):
            return self._say({"kind": "APIVersions", "versions": ["v1"], "groups": []})
        if query.get("watch"):
            return self._watch(query.get("resourceVersion", ""))
        if url.path.endswith("/old"):
            return self._say(_object(OLD))
        if url.path.endswith("/configmaps"):
            kind = {"apiVersion": "v1", "kind": "ConfigMapList", "metadata": {"resourceVersion": NOW}}
            return self._say({**kind, "items": [_object(OLD)]})
        return self.send_error(404)

    do_DELETE = do_GET

    def _watch(self, revision: str) -> None:
        events: list[dict[str, Any]] = []
        if revision not in ("0", NOW):
            events.append({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}})
        else:
            events += [{"type": "ADDED", "object": _object(OLD)}] if revision == "0" else []
            events.append({"type": "MODIFIED", "object": _object("901", labels={"new": "yes"})})
            events.append({"type": "DELETED", "object": _object("902")})
        self._say(*events)

    def _say(self, *found: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        for each in found:
            self.wfile.write(json.dumps(each).encode() + b"\n")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Yield how to reach it."""
    monkeypatch.setattr(Forgetful, "asked", [])
    with ThreadingHTTPServer(("127.0.0.1", 0), Forgetful) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield [f"--server=http://127.0.0.1:{found.server_port}", f"--cache-dir={tmp_path}"]
        found.shutdown()


def test_an_old_object_is_watched_from_now_on(server: list[str]) -> None:
    done = call(*server, "get", "configmap", "old", "-w", "-o", "jsonpath={.metadata.resourceVersion} ")
    assert (done.out, done.err, done.code) == ("5 901 902 ", "", 0)


@pytest.mark.parametrize(
    "words", [("wait", "--for=jsonpath={.metadata.labels.new}=yes"), ("delete",), ("wait", "--for=delete")]
)
def test_an_old_object_is_waited_for_without_asking_again_and_again(
    server: list[str], words: tuple[str, ...]
) -> None:
    begun = time.monotonic()
    done = call(*server, words[0], "configmap", "old", *words[1:], "--timeout=30s")
    assert (done.code, done.err) == (0, "")
    assert time.monotonic() - begun < 25
    assert len(Forgetful.asked) < 10
