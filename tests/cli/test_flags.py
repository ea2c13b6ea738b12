"""Flags whose effect is more than a line of output, each beside stock kubectl where that does what it says."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome, World
from tests.cli.test_parity import normal, same_files

NAMESPACE = "flags"
OBJECTS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data: {a: "1", b: "1"}
---
apiVersion: v1
kind: Secret
metadata: {name: hidden}
stringData: {key: opened}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: none}
spec:
  replicas: 0
  selector: {matchLabels: {app: none}}
  template:
    metadata: {labels: {app: none}}
    spec:
      containers:
      - name: c
        image: "minikctl-demo:latest"
        resources: {limits: {memory: 64Mi}}
        env:
        - {name: PLAIN, value: x}
        - {name: CONF, valueFrom: {configMapKeyRef: {name: conf, key: a}}}
        - {name: SECRET, valueFrom: {secretKeyRef: {name: hidden, key: key}}}
        - {name: MEMORY, valueFrom: {resourceFieldRef: {resource: limits.memory}}}
"""


@pytest.fixture
def place(world: World) -> Iterator[World]:
    """Yield the world with a namespace of its own and OBJECTS in it."""
    assert world.run("create", "namespace", NAMESPACE).code == 0
    assert world.run("apply", "-n", NAMESPACE, "-f", "-", stdin=OBJECTS).code == 0
    yield world
    assert world.run("delete", "namespace", NAMESPACE, "--timeout=20s").code == 0


def both(world: World, *words: str, stdin: str = "") -> Outcome:
    """Return what both programs say to the command line, having compared it."""
    line = ("-n", NAMESPACE, *words)
    theirs, ours = world.kubectl(*line, stdin=stdin), world.run(*line, stdin=stdin)
    left, right = ((same_files(o.out), normal(same_files(o.err)), o.code) for o in (theirs, ours))
    assert right == left
    return ours


def test_variables_are_resolved(place: World) -> None:
    found = both(place, "set", "env", "deploy/none", "--list", "--resolve").out
    assert {"PLAIN=x", "CONF=1", "SECRET=opened"} <= set(found.splitlines())


def test_a_workload_without_pods_is_waited_for(place: World) -> None:
    for command in (("exec", "deploy/none", "--pod-running-timeout=1s", "--", "ls"),):
        assert both(place, *command).err == "error: timed out waiting for the condition\n"
    ours = place.run("-n", NAMESPACE, "logs", "deploy/none", "--pod-running-timeout=1s")
    assert (ours.code, ours.err) == (1, "error: timed out waiting for the condition\n")


def test_files_are_looked_at_without_a_server(place: World, tmp_path: Path) -> None:
    path = tmp_path / "objects.yaml"
    path.write_text(OBJECTS)
    line = ("wait", "--local", "-f", str(path), "--server=https://127.0.0.1:1")
    met = place.run(*line, "--for=jsonpath={.metadata.name}")
    assert met.out.splitlines()[0] == "configmap/conf condition met"
    assert met.code == 0
    failed = place.run(*line, "--for=jsonpath={.data.a}=1")
    assert failed.code == 1
    assert "error: condition not met for secret/hidden" in failed.err


def test_what_others_changed_is_not_overwritten(place: World, tmp_path: Path) -> None:
    """kubectl refuses every change with this flag, as it finds its own annotation changed; here fields count."""
    path = tmp_path / "conf.yaml"
    text = OBJECTS.split("---")[0]
    path.write_text(text.replace('b: "1"', 'b: "2"'))
    line = ("apply", "-n", NAMESPACE, "--overwrite=false", "-f", str(path))
    assert place.run(*line).out == "configmap/conf configured\n"
    assert place.kubectl("-n", NAMESPACE, "patch", "cm", "conf", "-p", '{"data":{"a":"9"}}').code == 0
    assert '* data.a: applied "1", now "9", in the file "1"' in place.run(*line).err
    path.write_text(text.replace('a: "1"', 'a: "9"'))
    assert place.run(*line).code == 0, "both want the same"
    assert place.kubectl("-n", NAMESPACE, "patch", "cm", "conf", "-p", '{"data":{"a":"8"}}').code == 0
    path.write_text(text.replace('a: "1"', 'a: "5"'))
    refused = place.run(*line)
    assert refused.code == 1
    assert '* data.a: applied "9", now "8", in the file "5"' in refused.err
    assert place.kubectl("-n", NAMESPACE, "get", "cm", "conf", "-o", "jsonpath={.data.a}").out == "8"
    assert place.run(*line[:-3], "-f", str(path)).code == 0
    assert place.run("get", "-n", NAMESPACE, "cm", "conf", "-o", "jsonpath={.data.a}").out == "5"


def test_changes_that_are_refused_are_kept_in_a_file(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with kubectl: whoever has typed for an hour has lost nothing."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("KUBE_EDITOR", _editor(tmp_path, "  replicas: 2", "  replicas: -3"))
    done = world.run("edit", "deploy", "web")
    assert done.code == 1
    *_, stored, last = done.err.splitlines()
    assert last == "error: Edit cancelled, no valid changes were saved."
    found = re.fullmatch(r'A copy of your changes has been stored to "(.*)"', stored)
    assert found
    assert "replicas: -3" in Path(found[1]).read_text()


def _editor(tmp_path: Path, old: str, new: str) -> str:
    script = tmp_path / "editor"
    # Once: an editor that goes on changing things would be opened again and again.
    guard = new.partition("\\n")[0]
    script.write_text(f"#!/bin/sh\ngrep -q '{guard}' \"$1\" || sed -i 's/{old}/{new}/' \"$1\"\n")
    script.chmod(0o755)
    return str(script)


def test_edits_show_their_patch_and_remember_what_they_made(
    place: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBE_EDITOR", _editor(tmp_path, 'a: "1"', 'a: "2"'))
    told = []
    for program in (place.kubectl, place.run):
        done = program("-n", NAMESPACE, "edit", "cm", "conf", "--output-patch")
        told.append((done.out, done.err, done.code))
        assert place.run("-n", NAMESPACE, "patch", "cm", "conf", "-p", '{"data":{"a":"1"}}').code == 0
    assert told[0] == told[1]
    assert told[1][0] == 'Patch: {"data":{"a":"2"}}\nconfigmap/conf edited\n'
    assert place.run("-n", NAMESPACE, "edit", "cm", "conf", "--save-config").code == 0
    assert '"a":"2"' in place.kubectl(
        "-n", NAMESPACE, "apply", "view-last-applied", "cm/conf", "-o", "json"
    ).out.replace(" ", "")


def test_parts_are_edited_and_unknown_fields_refused(
    place: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBE_EDITOR", _editor(tmp_path, "replicas: 0", "replicas: 1"))
    assert place.run("-n", NAMESPACE, "edit", "deploy/none", "--subresource=scale").code == 0
    wanted = place.kubectl("-n", NAMESPACE, "get", "deploy", "none", "-o", "jsonpath={.spec.replicas}")
    assert wanted.out == "1"
    monkeypatch.setenv("KUBE_EDITOR", _editor(tmp_path, "^data:", "datum: {x: z}\\ndata:"))
    refused = place.run("-n", NAMESPACE, "edit", "cm", "conf")
    assert refused.code == 1
    assert 'unknown field "datum"' in refused.err
    let = place.run("-n", NAMESPACE, "edit", "cm", "conf", "--validate=warn")
    assert 'unknown field "datum"' in let.err
    assert let.code == 0


def test_differences_are_found_side_by_side_and_with_what_would_be_pruned(
    place: World, tmp_path: Path
) -> None:
    path = tmp_path / "objects.yaml"
    path.write_text(OBJECTS.replace('a: "1"', 'a: "7"'))
    found = both(place, "diff", "-f", str(path), "--concurrency=3")
    assert found.code == 1
    assert '+  a: "7"' in found.out
    labelled = "{apiVersion: v1, kind: ConfigMap, metadata: {name: old, labels: {x: z}}}"
    assert place.run("-n", NAMESPACE, "apply", "-f", "-", stdin=labelled).code == 0
    kept = tmp_path / "kept.yaml"
    kept.write_text(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: conf, labels: {x: z}}, data: {a: '1', b: '1'}}"
    )
    for words in (("--prune-allowlist=core/v1/ConfigMap",), ("--prune-allowlist=core/v1/Secret",)):
        line = ("-n", NAMESPACE, "diff", "-f", str(kept), "--prune", "-l", "x=z", *words)
        theirs, ours = (_removed(program(*line)) for program in (place.kubectl, place.run))
        assert ours == theirs
        assert ("-  name: old" in ours[0]) == ("ConfigMap" in words[0])


def _removed(done: Outcome) -> tuple[list[str], int]:
    """Return the lines that go, but for managed fields: kubectl shows those of pruned objects alone."""
    text = re.sub(r"^-  managedFields:\n(?:-  [- ].*\n)+", "", done.out, flags=re.M)
    return [line for line in text.splitlines() if re.match(r"^-[^-]", line)], done.code


@pytest.mark.parametrize("answer", ["y\n", "Y\n", "n\n", "yes\n", "\n", ""])
def test_deletions_are_confirmed(place: World, answer: str) -> None:
    """What is asked and what an answer means are kubectl's; ``--confirm`` is a further name of the flag."""
    for flag in ("-i", "--interactive", "--confirm"):
        line = ("-n", NAMESPACE, "delete", "cm", "conf")
        created = place.run("-n", NAMESPACE, "apply", "-f", "-", stdin=OBJECTS.split("---")[0])
        theirs = place.kubectl(*line, "-i", "--dry-run=client", stdin=answer)
        ours = place.run(*line, flag, "--dry-run=client", stdin=answer)
        assert created.code == 0
        assert (ours.out, ours.err, ours.code) == (theirs.out, theirs.err, theirs.code)
        left = place.run(*line, flag, stdin=answer)
        assert ("deletion is cancelled" in left.out) == (answer.strip().lower() != "y")
        there = place.kubectl("-n", NAMESPACE, "get", "cm", "conf").code == 0
        assert there == (answer.strip().lower() != "y")


def test_several_namespaces_are_shown_together(place: World) -> None:
    names = place.run("get", "cm", "-n", f"{NAMESPACE},kube-public", "-o", "name").out
    apart = [place.run("get", "cm", "-n", name, "-o", "name").out for name in (NAMESPACE, "kube-public")]
    assert names == "".join(apart)
    table = place.run("get", "cm,secret", "-n", f"{NAMESPACE},kube-public,{NAMESPACE}").out
    rows = [line.split()[:2] for line in table.splitlines() if line]
    assert rows[0] == ["NAMESPACE", "NAME"]
    assert [NAMESPACE, "configmap/conf"] in rows
    assert [NAMESPACE, "secret/hidden"] in rows
    assert ["kube-public", "configmap/kube-root-ca.crt"] in rows
    assert rows.count([NAMESPACE, "configmap/conf"]) == 1
    ordered = place.run("get", "cm", "-n", f"{NAMESPACE},kube-public", "--sort-by=.metadata.name").out
    assert [line.split()[1] for line in ordered.splitlines()[1:]] == ["conf", *["kube-root-ca.crt"] * 2]
    refused = place.run("get", "cm", "-n", f"{NAMESPACE},kube-public", "-w")
    assert (refused.code, refused.out) == (1, "")
