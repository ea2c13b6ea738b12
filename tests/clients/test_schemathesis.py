"""Schemathesis asks what our OpenAPI documents allow, and what they do not: never a 5xx, never a way past the door."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients import programs
from tests.clients.conftest import Cluster, running

SECONDS = 8
"""So long each document is tried."""
CHECKS = ("not_a_server_error", "content_type_conformance", "ignored_auth", "unsupported_method")
STREAMS = ("/exec", "/attach", "/portforward", "/proxy", "/proxy/{path}", "/log")
ENDLESS = ("watch", "sendInitialEvents")

DOCUMENTS = (
    "api/v1",
    "apis/apps/v1",
    "apis/rbac.authorization.k8s.io/v1",
    "apis/networking.k8s.io/v1",
)

pytestmark = pytest.mark.timeout(300)


def bounded(document: Any) -> Any:
    """Return a document without what goes on for ever."""
    paths = {path: item for path, item in document["paths"].items() if not path.endswith(STREAMS)}
    for item in paths.values():
        for part in (item, *item.values()):
            if isinstance(part, dict) and "parameters" in part:
                part["parameters"] = [each for each in part["parameters"] if each.get("name") not in ENDLESS]
    return {**document, "paths": paths}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Yield a cluster of which nothing may be left: all that can be deleted will be."""
    with running(tmp_path_factory.mktemp("scratch"), "scratch") as found:
        yield found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_the_documents_allow(scratch: Cluster, tmp_path: Path, name: str) -> None:
    programs.ensure_fuzzer()
    document = tmp_path / "openapi.json"
    document.write_text(
        json.dumps(bounded(json.loads(scratch.kubectl("get", "--raw", f"/openapi/v3/{name}"))))
    )
    with scratch.client() as client:
        server = client.configuration.host
        token = client.configuration.get_api_key_with_prefix("BearerToken", "authorization")
    words = [
        *("-c", "from schemathesis.cli import schemathesis; schemathesis()"),
        *("run", str(document), "--url", server, "--header", f"Authorization: {token}"),
        *("--tls-verify", "false", "--checks", ",".join(CHECKS), "--phases", "coverage,fuzzing"),
        *("--suppress-health-check", "all", "--warnings", "off", "--no-color", "--max-time"),
    ]
    for seconds in (SECONDS, 8 * SECONDS):  # a machine with much to do may not come to ask anything at first
        done = scratch.run(
            sys.executable, *words, str(seconds), PYTHONPATH=str(programs.FUZZER), PYTHONWARNINGS="ignore"
        )
        if "Empty test suite" not in done.out:
            break
    assert done.code == 0, done.out[-6000:] + done.err[-2000:]
    assert "Empty test suite" not in done.out
    assert " passed" in done.out
    assert scratch.kubectl("get", "--raw", "/readyz") == "ok"
