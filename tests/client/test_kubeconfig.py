from __future__ import annotations

import base64
import os
import stat
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from minikctl import errors
from minikctl.client import kubeconfig
from minikctl.client.kubeconfig import Config


def config(user: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None) -> Config:
    found = kubeconfig.empty()
    found["clusters"] = [{"name": "c", "cluster": {"server": "https://1.2.3.4:6443/", **(cluster or {})}}]
    found["users"] = [{"name": "u", "user": user or {"token": "t"}}]
    found["contexts"] = [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "apps"}}]
    found["current-context"] = "x"
    return found


def put(path: Path, content: Config) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))
    return str(path)


def test_resolves_token_and_authority() -> None:
    ca = base64.b64encode(b"PEM").decode()
    found = kubeconfig.resolve(
        config(None, {"certificate-authority-data": ca, "tls-server-name": "kubernetes"})
    )
    assert (found.server, found.namespace, found.token) == ("https://1.2.3.4:6443", "apps", "t")
    assert (found.ca_data, found.server_name, found.insecure) == (b"PEM", "kubernetes", False)


def test_files_are_relative_to_the_kubeconfig(tmp_path: Path) -> None:
    for name in ("ca.crt", "me.crt", "me.key", "token"):
        (tmp_path / name).write_text(f"{name}\n")
    user = {"client-certificate": "me.crt", "client-key": "me.key", "tokenFile": "token", "token": "old"}
    path = put(tmp_path / "config", config(user, {"certificate-authority": "ca.crt"}))
    found = kubeconfig.resolve(kubeconfig.load(path))
    assert (found.ca_data, found.cert_data, found.key_data) == (b"ca.crt\n", b"me.crt\n", b"me.key\n")
    assert found.token == "token"


def test_a_user_may_act_as_somebody_else_and_a_cluster_be_behind_a_proxy() -> None:
    user = {
        "token": "t",
        "as": "root",
        "as-groups": ["a", "b"],
        "as-uid": "7",
        "as-user-extra": {"why": ["x", "y"]},
    }
    found = kubeconfig.resolve(config(user, {"proxy-url": "http://p"}))
    assert found.proxy == "http://p"
    assert found.impersonation == (
        ("Impersonate-User", "root"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Extra-why", "x"),
        ("Impersonate-Extra-why", "y"),
    )


@pytest.mark.parametrize(
    ("content", "context", "message"),
    [
        (kubeconfig.empty(), "", "error: current-context is not set"),
        (config(), "nope", 'error: context "nope" does not exist'),
        ({**config(), "clusters": []}, "", 'error: cluster "c" does not exist'),
        ({**config(), "users": []}, "", 'error: auth info "u" does not exist'),
        (config({"auth-provider": {"name": "gcp"}}), "", "'auth-provider' are not supported"),
        (config({"token": "t", "as-groups": ["g"]}), "", "without impersonating a user"),
        (config({"tokenFile": "/nonexistent"}), "", "unable to read /nonexistent: No such file"),
        (config(None, {"certificate-authority-data": "?"}), "", "certificate-authority-data: "),
        (
            config(None, {"certificate-authority-data": "UEVN", "insecure-skip-tls-verify": True}),
            "",
            "root certificates file with the insecure flag is not allowed",
        ),
    ],
)
def test_what_cannot_be_used_is_named(content: Config, context: str, message: str) -> None:
    with pytest.raises(errors.UsageError) as refused:
        kubeconfig.resolve(content, context)
    assert message in str(refused.value)


@pytest.mark.parametrize("text", ["[1, 2]", "users: 3", "users: [{user: {}}]", "a: [", "\xff"])
def test_what_is_no_kubeconfig_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(errors.UsageError, match="error loading config file"):
        kubeconfig.load(str(path))


def test_an_empty_file_and_an_absent_one(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.touch()
    assert kubeconfig.load(str(path)) == kubeconfig.empty()
    with pytest.raises(errors.UsageError, match="No such file"):
        kubeconfig.load(str(tmp_path / "absent"))


def test_several_files_the_first_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = config({"token": "one"}), config({"token": "two"})
    del one["current-context"]
    two["users"].append({"name": "v", "user": {"token": "v"}})
    paths = [put(tmp_path / "1", one), str(tmp_path / "absent"), put(tmp_path / "2", two)]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([*paths, ""]))
    assert kubeconfig.default_paths() == paths
    merged = kubeconfig.load_merged(paths)
    assert kubeconfig.resolve(merged).token == "one"
    assert [entry["name"] for entry in merged["users"]] == ["u", "v"]
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("HOME", "/home/me")
    assert kubeconfig.default_paths() == ["/home/me/.kube/config"]


def test_own_context_goes_in_and_out_of_the_users_file(tmp_path: Path) -> None:
    before = config({"tokenFile": "relative"})
    path = put(tmp_path / "sub" / "config", before)
    os.chmod(path, 0o640)
    link = tmp_path / "link"
    link.symlink_to(path)
    own = kubeconfig.for_cluster("lab", "https://127.0.0.1:7", b"PEM", "secret")
    for _ in range(2):
        kubeconfig.edit(str(link), lambda found: kubeconfig.merge_into(found, own))
    assert link.is_symlink()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
    merged = kubeconfig.load(str(link))
    assert merged["current-context"] == "x"
    assert kubeconfig.read(path)["users"][0]["user"] == {"tokenFile": "relative"}
    found = kubeconfig.resolve(merged, "minikctl-lab")
    assert (found.server, found.token, found.ca_data) == ("https://127.0.0.1:7", "secret", b"PEM")
    kubeconfig.edit(path, lambda found: kubeconfig.without(found, "lab"))
    assert kubeconfig.read(path) == before
    assert sorted(os.listdir(tmp_path / "sub")) == ["config"]


def test_removing_the_current_context_leaves_none() -> None:
    own = kubeconfig.for_cluster("lab", "https://127.0.0.1:7", b"PEM", "secret")
    assert kubeconfig.without(own, "lab") == kubeconfig.empty()


def test_a_new_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config"
    kubeconfig.edit(str(path), lambda found: found)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_editors_wait_for_one_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "config", config())
    lock = Path(f"{path}.lock")
    lock.touch()
    threading.Timer(0.1, lock.unlink).start()
    kubeconfig.edit(path, lambda found: {**found, "current-context": ""})
    assert kubeconfig.load(path)["current-context"] == ""
    lock.touch()
    monkeypatch.setattr(kubeconfig, "LOCK_SECONDS", 0.05)
    with pytest.raises(errors.UsageError, match="is locked by another program"):
        kubeconfig.edit(path, lambda found: found)


# --- credential plugins -----------------------------------------------------------------------------------

VERSION = "client.authentication.k8s.io/v1"
PLUGIN = f"""
import json, os, sys
info = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
assert info["kind"] == "ExecCredential" and info["spec"]["interactive"] is False
server = info["spec"].get("cluster", {{}}).get("server", "")
token = "-".join([os.environ["NAME"], *sys.argv[1:], server])
print(json.dumps({{"apiVersion": "{VERSION}", "kind": "ExecCredential", "status": {{"token": token}}}}))
"""


def plugin(text: str, **more: Any) -> Config:
    entry = {"apiVersion": VERSION, "command": sys.executable, "args": ["-c", text, "arg"], **more}
    return config({"exec": entry})


def test_a_plugin_gives_the_token() -> None:
    env = [{"name": "NAME", "value": "me"}]
    common = {"env": env, "interactiveMode": "Never"}
    assert kubeconfig.resolve(plugin(PLUGIN, **common)).token == "me-arg-"
    found = kubeconfig.resolve(plugin(PLUGIN, provideClusterInfo=True, **common))
    assert found.token == "me-arg-https://1.2.3.4:6443/"


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ("", {"apiVersion": "v9"}, 'invalid apiVersion "v9"'),
        ("", {"command": "no-such-plugin", "installHint": "get it there"}, "not found\n\nget it there"),
        ("raise SystemExit(3)", {}, "failed with exit code 3"),
        ("print('hello')", {}, "decoding stdout"),
        ('print(\'{"kind": "Pod", "apiVersion": "v1", "status": {}}\')', {}, "configured differently"),
        (
            f'print(\'{{"kind": "ExecCredential", "apiVersion": "{VERSION}", "status": {{}}}}\')',
            {},
            "didn't return a token",
        ),
    ],
)
def test_a_plugin_that_fails(text: str, more: dict[str, Any], message: str) -> None:
    with pytest.raises(errors.UsageError) as refused:
        kubeconfig.resolve(plugin(text, interactiveMode="Never", **more))
    assert message in str(refused.value)


def test_a_plugin_that_needs_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(errors.UsageError, match="not a terminal"):
            kubeconfig.resolve(plugin("", interactiveMode="Always"))
