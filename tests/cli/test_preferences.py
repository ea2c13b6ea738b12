"""kubectl's preferences file, read and changed as kubectl does it: compared with the stock program."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Outcome, World, call
from tests.cli.test_parity import normal

HEAD = "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\n"
FILE = f"""{HEAD}
defaults:
- command: get
  options: [{{name: output, default: name}}]
- command: create configmap
  options: [{{name: dry-run, default: client}}, {{name: output, default: yaml}}]
- command: delete
  options: [{{name: wait, default: "false"}}]
aliases:
- name: getn
  command: get
  prependArgs: [nodes]
  options: [{{name: output, default: wide}}]
- name: scaled
  command: get
  prependArgs: [deploy, web]
  appendArgs: [--subresource=scale]
  options: [{{name: output, default: "jsonpath={{.spec.replicas}}"}}]
- name: cmc
  command: create configmap
  prependArgs: [fromalias]
  appendArgs: [--from-literal=a=b]
  options: [{{name: dry-run, default: client}}, {{name: output, default: yaml}}]
- name: get
  command: describe
"""
LINES = (
    "get svc web",
    "get svc web -o jsonpath={.spec.ports[0].port}",
    "get svc web -ojsonpath={.kind}",
    "get svc web --output=yaml",
    "create cm fromdefault --from-literal=a=b",
    "create cm fromdefault -o name",
    "create ns fromdefault --dry-run=client",
    "getn",
    "getn -o name",
    "getn minikctl-cli -o name",
    "scaled",
    "cmc",
    "cmc -o name",
    "describe cm conf",
    "nope",
)
BAD = (
    "aliases: [{name: a-b, command: get}]",
    "aliases: [{name: a, command: get}, {name: a, command: get}]",
    "defaults: [{command: get, options: [{name: --output, default: x}]}]",
    "defaults: [{command: get, options: [{name: nope, default: x}]}]",
    "defaults: [{command: nope, options: [{name: nope, default: x}]}]",
    "defaults: [{command: get, options: [{name: output, default: x}]}]",
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where both programs look for preferences."""
    path = tmp_path / "kuberc"
    path.write_text(FILE)
    monkeypatch.setenv("KUBERC", str(path))
    return path


def _told(done: Outcome) -> tuple[str, str, int]:
    errors = re.sub(r"(?m)^hint:.*\n?", "", done.err)
    return normal(done.out), normal(errors).rstrip("\n"), done.code


@pytest.mark.parametrize("line", LINES)
def test_defaults_and_aliases_are_taken_as_kubectl_takes_them(world: World, place: Path, line: str) -> None:
    words = shlex.split(line)
    ours, theirs = call(*words, "--cluster=cli"), world.kubectl(*words)
    assert _told(ours) == _told(theirs)


@pytest.mark.parametrize("content", BAD)
def test_what_is_wrong_in_the_file_is_told_as_kubectl_tells_it(
    world: World, place: Path, content: str
) -> None:
    place.write_text(HEAD + content)
    ours, theirs = world.run("get", "cm", "conf"), world.kubectl("get", "cm", "conf")
    assert _told(ours) == _told(theirs)


@pytest.mark.parametrize("content", ["kind: Pod\napiVersion: v1", "a: [", ""])
def test_a_file_that_was_named_has_to_be_one(world: World, place: Path, content: str) -> None:
    place.write_text(content)
    done = world.run("get", "cm", "conf")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(
        f"error occurred while applying preferences kuberc error kuberc: no valid preferences found in {place}"
    )


def test_preferences_can_be_turned_off(world: World, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert world.run("get", "svc", "web").out == "service/web\n"
    monkeypatch.setenv("KUBECTL_KUBERC", "false")
    assert world.run("get", "svc", "web").out.startswith("NAME ")
    monkeypatch.delenv("KUBECTL_KUBERC")
    monkeypatch.setenv("KUBERC", "off")
    assert world.run("get", "svc", "web").out.startswith("NAME ")
    refused = world.run("get", "svc", "web", f"--kuberc={place}")
    assert (refused.code, "mutually exclusive" in refused.err) == (1, True)


def test_the_file_is_looked_for_where_kubectl_looks(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERC", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert world.run("get", "svc", "web").out.startswith("NAME ")
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "kuberc").write_text(FILE)
    assert world.run("get", "svc", "web").out == "service/web\n"
    (tmp_path / ".kube" / "kuberc").write_text("a: [")
    done = world.run("get", "svc", "web")
    assert (done.code, done.out[:5]) == (0, "NAME ")
    assert "no preferences loaded" in done.err


CHANGES = (
    "view",
    "set --section defaults --command get --option output=wide",
    "set --section defaults --command get --option output=json",
    "set --section defaults --command get --option output=json --overwrite",
    'set --section defaults --command "set env" --option output=yaml',
    "set --section aliases --name getn --command get --prependarg nodes --option output=name",
    "set --section aliases --name runx --command run --option image=x --appendarg -- --appendarg custom",
    "set --section aliases --name getn --command get",
    "set --section aliases --command get",
    "set --section nope --command get",
    "set --section defaults --command get --option nope --overwrite",
    "set --section defaults --option x=y",
    "set",
    "set --section credentialplugin --policy Allowlist --allowlist-entry command=foo",
    "view",
    "view -o json",
    "view -o kyaml",
    "view -o jsonpath={.aliases[0].name}",
)


def test_preferences_are_written_as_kubectl_writes_them(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERC", raising=False)
    homes = {"theirs": world.home, "ours": tmp_path}
    monkeypatch.setenv("HOME", str(tmp_path))
    try:
        for line in CHANGES[1:]:
            words = ["kuberc", *shlex.split(line)]
            told = []
            for who, program in (("theirs", world.kubectl), ("ours", call)):
                code, out, err = (done := program(*words)).code, done.out, done.err
                told.append((code, *(text.replace(str(homes[who]), "HOME") for text in (out, err))))
            assert told[1] == told[0], line
        theirs, ours = (yaml.safe_load((home / ".kube" / "kuberc").read_text()) for home in homes.values())
        assert ours == theirs
    finally:
        (world.home / ".kube" / "kuberc").unlink(missing_ok=True)


def test_a_plugin_for_credentials_runs_only_if_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    plugin = tmp_path / "login"
    plugin.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 3\n")
    plugin.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    config = yaml.safe_load(world.kubeconfig.read_text())
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": "login", "interactiveMode": "Never"}
    config["users"][0]["user"] = {"exec": run}
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBERC", str(tmp_path / "kuberc"))
    for policy, runs in (
        ("credentialPluginPolicy: DenyAll", False),
        ("credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: [{command: other}]", False),
        ("credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: [{command: login}]", True),
        (f"credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: [{{command: {plugin}}}]", True),
        ("credentialPluginPolicy: AllowAll", True),
    ):
        (tmp_path / "kuberc").write_text(HEAD + policy)
        done = call("--kubeconfig", str(tmp_path / "config"), "get", "ns")
        assert done.code == 1
        assert (tmp_path / "ran").exists() == runs, done.err
        assert ('plugin "login" not allowed' in done.err) != runs
        (tmp_path / "ran").unlink(missing_ok=True)


def test_aliases_are_completed_like_what_they_stand_for(world: World, place: Path) -> None:
    found = call("__complete", "--", "--cluster", "cli", "getn", "")
    assert (found.code, found.err) == (0, "")
    assert "minikctl-cli" in found.out.splitlines()
    assert call("__complete", "--", "--cluster", "cli", "getn", "--no-h").out == "--no-headers\n"
