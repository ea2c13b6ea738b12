"""What kubectl's users ask for: trees, everything, clean YAML, decoded Secrets, switches, colours, hints."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from minikctl import errors
from minikctl.cli import firstrun, live, session
from minikctl.cli.output import graph, painting
from minikctl.client import launcher
from minikctl.client.home import ClusterHome
from tests.cli.conftest import World, call


def test_tree_shows_owners_members_and_what_points_at_it(world: World) -> None:
    text = world.run("tree", "deploy/web").out
    lines = text.splitlines()
    assert lines[0] == "deployment.apps/web  2/2 ready"
    assert lines[1].startswith("└─ replicaset.apps/web-")
    assert lines[2].startswith("   ├─ pod/web-")
    assert "is used by  service/web selects it  ClusterIP" in text
    assert "uses        serviceaccount/default (runs as)" in text
    pod = world.run("get", "pods", "-l", "app=web", "-o", "name").out.split()[0]
    assert f"{pod}  Running ◂" in world.run("tree", pod).out
    assert world.run("tree", "pods").code == 1


def test_tree_says_what_is_not_there(world: World) -> None:
    pod = "{apiVersion: v1, kind: Pod, metadata: {name: needy}, spec: {containers: [{name: c, image: x, envFrom: [{configMapRef: {name: gone, optional: true}}]}]}}"
    assert world.run("apply", "-f", "-", stdin=pod).code == 0
    assert "configmap/gone (reads)  is not there" in world.run("tree", "pod/needy").out
    world.run("delete", "pod", "needy", "--now")


def test_references_name_what_they_point_at() -> None:
    ingress = {
        "kind": "Ingress",
        "spec": {
            "tls": [{"secretName": "cert"}],
            "rules": [{"http": {"paths": [{"backend": {"service": {"name": "web"}}}]}}],
        },
    }
    assert set(graph.references(ingress)) == {
        ("Service", "web", "routes to"),
        ("Secret", "cert", "serves with"),
    }
    binding = {
        "kind": "RoleBinding",
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [{"kind": "User", "name": "u"}],
    }
    assert list(graph.references(binding)) == [("Role", "r", "grants"), ("User", "u", "is for")]


def test_everything_means_all_kinds(world: World) -> None:
    names = world.run("get", "everything", "-o", "name").out.split()
    assert {"configmap/conf", "deployment.apps/web", "service/web", "serviceaccount/default"} <= set(names)
    assert len(names) == len(set(names))
    assert not [name for name in names if name.startswith(("event", "endpoints/"))]


def test_neat_leaves_what_somebody_would_write(world: World) -> None:
    text = world.run("get", "svc", "web", "-o", "yaml", "--neat").out
    assert text.splitlines()[:5] == [
        "apiVersion: v1",
        "kind: Service",
        "metadata:",
        "  name: web",
        "  namespace: default",
    ]
    assert "clusterIP" not in text
    assert "sessionAffinity" not in text
    deployment = world.run("get", "deploy", "web", "-o", "yaml", "--neat").out
    assert "terminationMessagePath" not in deployment
    applied = world.run("apply", "-f", "-", "--dry-run=server", "-o", "name", stdin=deployment)
    assert applied.out == "deployment.apps/web\n"
    assert world.run("get", "svc", "--neat").code == 1


def test_secrets_are_decoded_on_request(world: World) -> None:
    assert (
        world.run("create", "secret", "generic", "shown", "--from-literal=a=b", "--from-literal=c=d\ne").code
        == 0
    )
    assert world.run("get", "secret", "shown", "--decode").out == "a: b\nc: d\n  e\n"
    assert "stringData:\n  a: b" in world.run("get", "secret", "shown", "-o", "yaml", "--decode").out
    world.run("delete", "secret", "shown")


def test_namespaces_are_switched_for_good_and_for_a_shell(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "* default" in world.run("ns").out
    assert world.run("ns", "nope").code == 1
    assert world.run("ns", "kube-system", "--shell").out == "export MINIKCTL_NAMESPACE=kube-system\n"
    monkeypatch.setenv("MINIKCTL_NAMESPACE", "kube-public")
    assert "in kube-public namespace" in world.run("get", "pods", "-l", "a=none").err
    monkeypatch.delenv("MINIKCTL_NAMESPACE")
    assert world.run("ns", "kube-system").code == 0
    assert "in kube-system namespace" in world.run("get", "pods", "-l", "a=none").err
    assert world.run("ns", "default").code == 0


def test_clusters_are_switched(world: World) -> None:
    assert "local/cli" in world.run("ctx").out
    assert (
        world.run("ctx", "local/cli", "--shell").out
        == "export MINIKCTL_CLUSTER=cli\nunset MINIKCTL_CONTEXT\n"
    )
    assert world.run("ctx", "nope").code == 1
    assert world.run("ctx", "local/cli").code == 0
    try:
        assert "configmap/conf" in call("get", "cm", "conf", "-o", "name").out
    finally:
        os.unlink(os.path.join(os.environ["MINIKCTL_HOME"], "current"))


@pytest.fixture
def far(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the second of a user's kubeconfig files, whose context ``far`` leads to the cluster; it is switched to."""
    near, path = tmp_path / "near", tmp_path / "far"
    near.write_text(
        "{apiVersion: v1, kind: Config, contexts: [{name: near, context: {cluster: a, user: b}}]}"
    )
    path.write_text(world.kubeconfig.read_text())
    assert call("--kubeconfig", str(path), "config", "rename-context", "minikctl-cli", "far").code == 0
    monkeypatch.setenv("KUBECONFIG", f"{near}:{path}")
    assert call("ctx", "far").out == 'Switched to "far".\n'
    yield str(path)
    os.unlink(world.home / "current")


def test_a_context_of_the_users_own_is_switched_to(world: World, far: str) -> None:
    assert call("ctx").out.splitlines() == ["  local/cli", "  near", "* far"]
    assert "configmap/conf" in call("get", "cm", "conf", "-o", "name").out
    assert not (world.home / "clusters" / "far").exists()
    assert call("config", "current-context").out == "far\n"
    assert call("ns", "kube-system").out == 'Namespace "kube-system" is the one of context "far" now.\n'
    assert "namespace: kube-system" in Path(far).read_text()
    assert "in kube-system namespace" in call("get", "pods", "-l", "a=none").err
    assert "in default namespace" in world.run("get", "pods", "-l", "a=none").err
    assert call("__complete", "--", "config", "use-context", "").out.split() == ["near", "far"]


def test_a_shells_own_namespace_is_stronger_and_that_is_said(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINIKCTL_NAMESPACE", "kube-system")
    assert "hint: $MINIKCTL_NAMESPACE is stronger" in world.run("ns", "default").err


def test_a_cluster_that_nobody_asked_for_is_announced_with_those_that_may_be_meant(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINIKCTL_HOME", str(tmp_path))
    made = ClusterHome("odd")
    place = tmp_path / "clusters" / "there"
    place.mkdir(parents=True)
    (place / "cluster.json").write_text("{}")
    err = io.StringIO()
    firstrun.tell(made, session.Io(io.StringIO(), err, io.StringIO()))
    lines = err.getvalue().splitlines()
    assert lines[0] == f'Making the local cluster "odd" in {tmp_path}/clusters/odd, for there is none yet'
    assert lines[1] == "hint: there are there; `minikctl ctx NAME` or --cluster chooses one"
    assert f"hint: cluster cli runs with MINIKCTL_HOME={world.home}, which is not set to that here" in lines


def test_the_first_command_announces_the_cluster_that_it_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINIKCTL_HOME", str(tmp_path))
    monkeypatch.setattr(launcher, "ensure_running", _refuse)
    assert "Making the local cluster" in call("--cluster", "fresh", "get", "pods").err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("version", 'there is no local cluster "fresh" yet'),
        ("version --client", "Client Version"),
        ("config view", "kind: Config"),
        ("config get-contexts", "CURRENT   NAME"),
        ("config get-clusters", "NAME"),
        ("config current-context", "current-context is not set"),
        ("config set-context mine --user=me", 'there is no local cluster "fresh" yet'),
        ("config set-credentials me --token=x", 'there is no local cluster "fresh" yet'),
        ("history", "name one object"),
        ("undo", "name one object"),
        ("tree", "name one object"),
        ("edit", "You must provide one or more resources"),
        ("scale --replicas=2", "You must provide one or more resources"),
        ("create configmap made --dry-run=client -o yaml", "name: made"),
    ],
)
def test_what_needs_no_cluster_makes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, words: str
) -> None:
    monkeypatch.setenv("MINIKCTL_HOME", str(tmp_path))
    begun: list[object] = []

    def begin(*given: object) -> str:
        begun.append(given)
        return _refuse()

    monkeypatch.setattr(launcher, "ensure_running", begin)
    done = call("--cluster", "fresh", *line.split())
    assert words in done.out + done.err
    assert begun == []
    assert not (tmp_path / "clusters" / "fresh").exists()


def _refuse(*_: object) -> str:
    raise errors.UsageError("not here")


def test_live_use_is_of_what_was_asked_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: dict[str, Any] = {}

    def run(header: list[str], sample: Callable[[], list[live.Sample]], *_: object) -> int:
        shown.update(header=header, found=sample())
        return 0

    monkeypatch.setattr(live, "run", run)
    assert world.run("top", "pod", "-A", "-w", "--containers", "--sum").code == 0
    assert shown["header"] == ["NAMESPACE", "POD", "NAME"]
    *each, (blank, sums) = shown["found"]
    assert ("default", "db-0", "c") in [names for names, _ in each]
    assert blank == ("", "", "")
    assert sums == tuple(sum(used[which] for _, used in each) for which in (0, 1))
    assert world.run("top", "pod", "-w", "--no-headers").code == 0
    assert shown["header"] == []
    assert ("db-0",) in [names for names, _ in shown["found"]]
    refused = world.run("top", "pod", "-w", "--show-swap")
    assert refused.err == "error: --show-swap and --watch cannot be used together\n"


def test_live_use_fits_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((8, 4)))
    assert live.fitting(["a" * 9, "b", "c"]) == ["a" * 8, "b", "c"]
    assert live.fitting(["a", "b", "c", "d", "e"]) == ["a", "b", "… and 3 "]


def test_one_of_several_is_enough(world: World) -> None:
    found = world.run("wait", "--any", "--for=condition=Available", "deploy/nope", "deploy/web")
    assert (found.code, found.out) == (0, "deployment.apps/web condition met\n")
    begun = time.monotonic()
    assert world.run("wait", "--any", "--for=create", "cm/x", "cm/y", "--timeout=0.1s").code == 1
    assert time.monotonic() - begun < 20  # thirty seconds are waited without a word


def test_a_missing_name_is_met_by_its_neighbours(world: World) -> None:
    found = world.run("get", "deploy", "wbe")
    assert found.err.splitlines()[-1] == "hint: did you mean web?"


def test_states_are_coloured() -> None:
    rows = [["a", "1/1", "Running", "0"], ["b", "0/1", "CrashLoopBackOff", "3"], ["c", "0/1", "Pending", "0"]]
    lines = painting.lines(["NAME", "READY", "STATUS", "RESTARTS"], rows, headed=True)
    assert lines[0] == "NAME   READY   STATUS             RESTARTS"
    assert lines[1] == "a      \x1b[32m1/1\x1b[0m     \x1b[32mRunning\x1b[0m            0"
    assert "\x1b[31mCrashLoopBackOff\x1b[0m" in lines[2]
    assert "\x1b[33m3\x1b[0m" in lines[2]
    assert "\x1b[33mPending\x1b[0m" in lines[3]


def test_a_mistyped_flag_and_a_namespace_that_is_not_there_are_hinted_at(world: World) -> None:
    assert "hint: did you mean --watch" in world.run("get", "pods", "--wach").err
    assert "hint: there is no namespace nope" in world.run("get", "pods", "-n", "nope").err
    assert "hint" not in world.run("get", "pods", "-n", "kube-public").err


def test_several_namespaces_at_once(world: World) -> None:
    both = ("-n", "default,kube-system")
    for place in ("default", "kube-system"):
        made = world.run("create", "cm", "twin", "-n", place, "--from-literal=a=b")
        assert made.code == 0, made.err
    text = world.run("describe", "cm", "twin", *both).out
    assert [line for line in text.splitlines() if line.startswith("Namespace:")] == [
        "Namespace:    default",
        "Namespace:    kube-system",
    ]
    # What is of the cluster as a whole is there once.
    assert world.run("describe", "ns", "default", *both).out.count("Name: ") == 1
    events = world.run("events", *both)
    assert events.out.split("\n")[0].split()[0] == "NAMESPACE"
    assert {line.split()[0] for line in events.out.splitlines()[1:]} <= {"default", "kube-system"}
    assert (
        world.run("events", "--for", "cm/twin", *both).err
        == "No events found in default, kube-system namespaces.\n"
    )
    assert world.run("logs", "-l", "app=none", *both).err == (
        "No resources found in default, kube-system namespaces.\n"
    )
    refused = world.run("create", "cm", "other", *both)
    assert (refused.code, refused.err.partition(":")[2].partition(":")[0]) == (
        1,
        " this works in one namespace, not in default, kube-system",
    )
    deleted = world.run("delete", "cm", "twin", *both).out
    assert deleted == (
        'configmap "twin" deleted from default namespace\nconfigmap "twin" deleted from kube-system namespace\n'
    )


def test_lists_come_in_pieces_of_the_wanted_size(world: World) -> None:
    whole = world.run("describe", "cm", "-n", "kube-system", "--chunk-size=0").out
    found = world.run("describe", "cm", "-n", "kube-system", "--chunk-size=1", "-v=6")
    assert found.out == whole
    assert found.err.count("limit=1") >= whole.count("\nName: ")
    events = world.run("events", "-A", "--chunk-size=2", "-v=6")
    assert events.err.count("limit=2") > 1
    assert events.out.count("\n") == world.run("get", "events", "-A", "--no-headers").out.count("\n") + 1
