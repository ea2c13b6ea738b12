"""The command line against an API server that is not ours: kmock, which knows no tables and no versions of objects.

It is simple (merges of dicts, in memory) and what it says of its core group is not what stock kubectl understands,
so nothing is compared here; but no answer of it comes from our code.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kmock import KubernetesEmulator, ResourceDict, Server

from tests.cli.conftest import Outcome, call

VERBS = ["get", "list", "watch", "create", "update", "patch", "delete"]
CONFIG = """
apiVersion: v1
kind: Config
current-context: foreign
contexts: [{{name: foreign, context: {{cluster: foreign, user: foreign}}}}]
clusters: [{{name: foreign, cluster: {{server: "{url}"}}}}]
users: [{{name: foreign, user: {{}}}}]
"""


class Foreign:
    """A server in a thread of its own, and our program asked about it."""

    def __init__(self, place: Path) -> None:
        self.config = place / "config"
        self._cache = str(place / "cache")
        self._ready, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    async def _serve(self) -> None:
        async with KubernetesEmulator() as emulator, Server(emulator) as server:
            for name, kind, short in (("v1/configmaps", "ConfigMap", "cm"), ("v1/secrets", "Secret", "")):
                described: ResourceDict = {
                    "kind": kind,
                    "singular": kind.lower(),
                    "shortnames": [short] if short else [],
                    "namespaced": True,
                    "verbs": VERBS,
                    "categories": [],
                    "subresources": [],
                }
                emulator.resources[name] = described
            self.config.write_text(CONFIG.format(url=str(server.url).rstrip("/")))
            self._ready.set()
            while not self._over.is_set():
                await asyncio.sleep(0.02)

    def start(self) -> None:
        """Return when it serves."""
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        """Return when it has ended."""
        self._over.set()
        self._thread.join(10)

    def run(self, *words: str, stdin: str = "") -> Outcome:
        """Run minikctl."""
        return call("--kubeconfig", str(self.config), "--cache-dir", self._cache, *words, stdin=stdin)


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[Foreign]:
    """Yield the running server."""
    found = Foreign(tmp_path)
    found.start()
    yield found
    found.stop()


def test_a_script_goes_well_on_a_foreign_server(foreign: Foreign) -> None:
    for name in ("one", "two"):
        made = foreign.run("create", "cm", name, "--from-literal=x=y")
        assert (made.out, made.code) == (f"configmap/{name} created\n", 0), made.err
    listed = foreign.run("get", "cm")
    assert [line.split() for line in listed.out.splitlines()] == [
        ["NAME", "AGE"],
        ["one", "<unknown>"],
        ["two", "<unknown>"],
    ]
    assert foreign.run("get", "configmap/one", "-o", "jsonpath={.data.x}").out == "y"
    assert foreign.run("get", "cm", "-o", "name").out == "configmap/one\nconfigmap/two\n"
    assert foreign.run("label", "cm", "one", "a=b").out == "configmap/one labeled\n"
    assert foreign.run("patch", "cm", "one", "--type=merge", "-p", '{"data":{"x":"z"}}').code == 0
    shown = foreign.run("get", "cm", "one", "--show-labels").out.splitlines()
    assert shown[1].split() == ["one", "<unknown>", "a=b"]
    assert foreign.run("get", "cm", "one", "-o", "jsonpath={.data.x}").out == "z"
    missing = foreign.run("get", "cm", "nope")
    assert missing.code == 1
    assert missing.err.startswith("Error from server")
    unknown = foreign.run("get", "foo")
    assert (unknown.err.splitlines()[0], unknown.code) == (
        'error: the server doesn\'t have a resource type "foo"',
        1,
    )
    assert foreign.run("delete", "cm", "one", "--wait=false").code == 0
    assert foreign.run("get", "cm", "-o", "name").out == "configmap/two\n"


def test_manifests_are_applied_to_a_foreign_server(foreign: Foreign) -> None:
    text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: kept}, data: {a: '1'}}"
    assert foreign.run("apply", "-f", "-", stdin=text).out == "configmap/kept created\n"
    assert foreign.run("apply", "-f", "-", stdin=text).out == "configmap/kept unchanged\n"
    assert foreign.run("get", "cm", "kept", "-o", "jsonpath={.data.a}").out == "1"


def test_a_server_that_hears_neither_of_selectors_nor_of_time_is_waited_for_no_longer(
    foreign: Foreign,
) -> None:
    """kmock's watches go on for ever, and tell of all objects of the kind."""
    for name in ("one", "two"):
        assert foreign.run("create", "cm", name, "--from-literal=x=y").code == 0
    begun = time.monotonic()
    late = foreign.run("wait", "--for=jsonpath={.data.x}=z", "cm/one", "--timeout=1s")
    assert (late.code, late.err) == (1, "error: timed out waiting for the condition on configmaps/one\n")
    assert time.monotonic() - begun < 30
    assert foreign.run("wait", "--for=jsonpath={.data.x}=y", "cm/one", "--timeout=1s").code == 0
    watched = foreign.run("get", "cm", "one", "-w", "-o", "name", "--request-timeout=3s")
    assert set(watched.out.splitlines()) == {"configmap/one"}


def test_more_of_a_days_work_goes_well_on_a_foreign_server(
    foreign: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBE_EDITOR", "sed -i 's/x: old/x: edited/'")
    made = foreign.run("create", "secret", "generic", "keys", "--from-literal=p=q")
    assert (made.code, foreign.run("create", "cm", "one", "--from-literal=x=old").code) == (0, 0)
    for line, wanted in (
        ("get cm,secrets -o name", "configmap/one\nsecret/keys\n"),
        ("get secret keys --decode", "p: q\n"),
        ("annotate cm one k=v", "configmap/one annotated\n"),
        ("edit cm one", "configmap/one edited\n"),
        ("get cm one -o jsonpath={.data.x}", "edited"),
        ("wait --for=jsonpath={.data.x}=edited cm/one --timeout=20s", "configmap/one condition met\n"),
        ("api-versions", "v1\n"),
        ("delete secret keys --timeout=20s", 'secret "keys" deleted from default namespace\n'),
    ):
        done = foreign.run(*line.split())
        assert (done.out, done.code) == (wanted, 0), (line, done.err)
    assert "Data\n====\nx:\n" in foreign.run("describe", "cm", "one").out
    tree = foreign.run("tree", "cm/one")
    assert (tree.out, tree.code) == ("configmap/one\n", 0), tree.err
    asked = foreign.run("auth", "can-i", "get", "pods")
    assert (asked.out, asked.code, "Traceback" in asked.err) == ("no\n", 1, False)
    patch = '[{"op":"add","path":"/data/n","value":"v"}]'
    assert foreign.run("patch", "cm", "one", "--type=json", "-p", patch).out == "configmap/one patched\n"
    for line in ("history cm/one", "undo cm/one"):
        assert foreign.run(*line.split()).err == (
            "error: this server keeps no history: only minikctl's own control plane does\n"
        )
