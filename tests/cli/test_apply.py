"""What belongs together in an ApplySet, and waiting until what was applied runs."""

from __future__ import annotations

import json
from pathlib import Path

from minikctl.cli import pruning
from tests.cli.conftest import World

MAP = "{apiVersion: v1, kind: ConfigMap, metadata: {name: %s}}"


def test_the_id_of_a_set_is_that_of_the_proposal() -> None:
    # The value that kubectl v1.37.1 gave to Secret kube-public/mine.
    wanted = "applyset-mSZTwnuymoX9L4h4-nq5SCzG-6mu_T53yl4bGiMWHds-v1"
    assert pruning.identity("mine", "kube-public", "Secret", "") == wanted


def test_members_that_left_the_files_are_pruned(world: World, tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(MAP % "set-one")
    (tmp_path / "two.yaml").write_text(MAP % "set-two")
    words = ("apply", "-n", "kube-public", "-f", str(tmp_path), "--prune", "--applyset=mine")
    assert world.run(*words).out == "configmap/set-one created\nconfigmap/set-two created\n"
    parent = json.loads(world.run("get", "secret", "mine", "-n", "kube-public", "-o", "json").out)
    assert parent["metadata"]["annotations"][pruning.MEMBERS] == "ConfigMap"
    (tmp_path / "two.yaml").unlink()
    assert world.run(*words).out == "configmap/set-one unchanged\nconfigmap/set-two pruned\n"
    assert world.run("get", "cm", "set-two", "-n", "kube-public").code == 1
    world.run("delete", "-n", "kube-public", "cm/set-one", "secret/mine")


def test_a_parent_of_somebody_else_is_refused(world: World, tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(MAP % "set-one")
    assert world.run("create", "secret", "generic", "theirs", "-n", "kube-public").code == 0
    found = world.run("apply", "-n", "kube-public", "-f", str(tmp_path), "--prune", "--applyset=theirs")
    assert found.code == 1
    assert 'missing required label "applyset.kubernetes.io/id"' in found.err
    world.run("delete", "-n", "kube-public", "secret/theirs")


def test_wait_returns_when_all_runs(world: World) -> None:
    text = """{apiVersion: apps/v1, kind: Deployment, metadata: {name: settles}, spec: {
      selector: {matchLabels: {app: settles}}, template: {metadata: {labels: {app: settles}},
      spec: {containers: [{name: c, image: "minikctl-demo:latest"}]}}}}"""
    found = world.run("apply", "-f", "-", "--wait", "--timeout=30s", stdin=text)
    assert (found.code, found.out) == (0, "deployment.apps/settles created\n")
    assert 'deployment.apps/settles: deployment "settles" successfully rolled out' in found.err
    world.run("delete", "deploy/settles")
