"""What a beginner gets wrong in a manifest, and what is said of it beside kubectl's own words."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from minikctl.cli import cluster, report, session
from tests.cli.conftest import World

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: front}
spec:
  replicas: 1
  selector: {matchLabels: {app: front}}
  template:
    metadata: {labels: {app: front}}
    spec:
      containers:
      - name: web
        image: "minikctl-demo:latest"
        ports: [{containerPort: 80}]
"""


def config(text: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\n{text}"


@pytest.mark.parametrize(
    ("text", "hints"),
    [
        (DEPLOYMENT.replace("replicas", "replica"), ['spec.replica: did you mean "replicas"?']),
        (
            DEPLOYMENT.replace("        image", "      image").replace("        ports", "      ports"),
            [
                'spec.template.spec.image: "image" is a field of containers: is it indented as it should be?',
                'spec.template.spec.ports: "ports" is a field of containers: is it indented as it should be?',
            ],
        ),
        (
            DEPLOYMENT.replace("ports: [", "port: ["),
            ['spec.template.spec.containers[0].port: did you mean "ports"?'],
        ),
        (DEPLOYMENT.replace("  replicas", "  zzz: {}\n  replicas"), []),
        (
            DEPLOYMENT.replace("apps/v1", "v1"),
            ["Deployment is of another version: write `apiVersion: apps/v1`"],
        ),
        (DEPLOYMENT.replace("kind: D", "kind: d"), ["write `kind: Deployment`"]),
        (DEPLOYMENT.replace("kind: D", "kind: De"), ["did you mean `kind: Deployment`?"]),
        (DEPLOYMENT.replace("kind: Deployment", "kind: Widget"), []),
        (
            DEPLOYMENT.replace("apps/v1", "serving.knative.dev/v1").replace(
                "kind: Deployment", "kind: Service"
            ),
            [
                "serving.knative.dev is no API of Kubernetes itself:"
                " what brings it (CustomResourceDefinitions) is installed first"
            ],
        ),
        (
            DEPLOYMENT.replace("apps/v1", "authorization.k8s.io/v1beta1").replace(
                "kind: Deployment", "kind: SubjectAccessReview"
            ),
            ["SubjectAccessReview is of another version: write `apiVersion: authorization.k8s.io/v1`"],
        ),
        (
            DEPLOYMENT.replace("labels: {app: front}", "labels: {app: fornt}"),
            ["spec.selector.matchLabels has app: front, spec.template.metadata.labels has app: fornt"],
        ),
        (
            DEPLOYMENT.replace("labels: {app: front}", "labels: {tier: front}"),
            ["spec.selector.matchLabels has app: front, spec.template.metadata.labels has no app"],
        ),
        (
            DEPLOYMENT.replace("replicas: 1", "replicas: one"),
            ["DeploymentSpec.spec.replicas is a number: it is written without quotes"],
        ),
        (
            config("metadata: {name: a}\ndata: {PORT: 80}"),
            ['ConfigMap.data is text: what looks like a number is put in quotes, as in "8080"'],
        ),
        (
            config("metadata: {name: a}\ndata: {ON: yes}"),
            ['ConfigMap.data is text: what looks like a bool is put in quotes, as in "true"'],
        ),
        (
            config("metadata:\nname: a\n"),
            ['name: "name" is a field of metadata: is it indented as it should be?'],
        ),
        (config("metadata: {name: a, namespace: dev}\n"), ["`minikctl create namespace dev` makes it"]),
        (config("metadata:\n\tname: a\n"), ["YAML is indented by spaces: is there a tab?"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("verb", ["apply", "create"])
def test_what_is_wrong_is_told_with_the_way_out(verb: str, text: str, hints: list[str], world: World) -> None:
    done = world.run(verb, "-f", "-", "--dry-run=server", stdin=text)
    assert done.code == 1
    place, *told = [
        line.removeprefix("hint: ") for line in done.err.splitlines() if line.startswith("hint: ")
    ]
    assert place.startswith("STDIN, document 1, line ")
    assert told == hints


@pytest.fixture
def other(world: World) -> Iterator[str]:
    world.run("create", "namespace", "elsewhere")
    world.run("create", "configmap", "far", "-n", "elsewhere")
    world.run("create", "cronjob", "late", "--image=x", "--schedule=0 0 1 1 *", "-n", "elsewhere")
    yield "elsewhere"
    world.run("delete", "namespace", "elsewhere")


def test_what_is_in_another_namespace_is_told_when_none_was_named(world: World, other: str) -> None:
    place = f"found in namespace {other}: `-n {other}`, or `minikctl ns {other}` for good"
    words: tuple[str, ...]
    for words in (
        ("get", "configmap", "far"),
        ("describe", "configmap", "far"),
        ("patch", "configmap", "far", "-p", "{}"),
        ("label", "configmap", "far", "a=b"),
    ):
        assert f"hint: far {place}" in world.run(*words).err, words
    assert f"hint: cronjobs {place}" in world.run("get", "cronjobs").err
    for words in (
        ("get", "configmap", "far", "-n", "default"),
        ("get", "cronjobs", "-n", "default"),
        ("get", "cronjobs", "-l", "a=b"),
        ("get", "configmap", "nowhere-at-all"),
        ("get", "namespace", "nowhere-at-all"),
        ("get", "daemonsets"),
    ):
        assert "hint" not in world.run(*words).err, words


def test_logs_say_where_the_pod_is(world: World, other: str) -> None:
    world.run("run", "talker", "--image=minikctl-demo:latest", "-n", other)
    found = world.run("logs", "talker")
    assert found.err.splitlines() == [
        'error: error from server (NotFound): pods "talker" not found in namespace "default"',
        f"hint: talker found in namespace {other}: `-n {other}`, or `minikctl ns {other}` for good",
    ]


def test_why_walks_a_workload(world: World) -> None:
    missing = world.run("why", "deploy/nothing")
    assert 'deployments.apps "nothing" not found' in missing.err
    walked = world.run("why", "deploy/web")
    assert walked.code == 0
    assert "all run and are ready" in walked.out
    assert "its pods are behind web: `minikctl why svc/web` walks on" in walked.out


def test_a_wait_that_was_too_short_says_who_knows_more(world: World) -> None:
    text = DEPLOYMENT.replace("    spec:\n", "    spec:\n      nodeSelector: {disk: none}\n")
    done = world.run("apply", "-f", "-", "--wait", "--timeout=1s", stdin=text)
    try:
        *_, error, hint = done.err.splitlines()
        assert error.startswith("error: timed out waiting for deployment.apps/front: ")
        assert hint == "hint: `minikctl why deployment.apps/front -n default` says what it lacks"
        walked = world.run("why", "deployment.apps/front")
        assert walked.code == 1
        assert "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector" in walked.out
    finally:
        world.run("delete", "deployment", "front")


def test_keys_that_are_gone_are_told_with_the_way_out(world: World) -> None:
    token = world.home / "clusters" / "cli" / "pki" / "admin.token"
    token.rename(token.with_suffix(".away"))
    try:
        assert world.run("get", "pods").err.splitlines() == [
            f"error: {token} is gone",
            "hint: `minikctl cluster stop` and `cluster start` make it anew",
        ]
    finally:
        token.with_suffix(".away").rename(token)


def test_a_halted_control_plane_is_told_by_status(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "PATIENCE_SECONDS", 0.3)
    pid = json.loads(world.run("cluster", "status", "-o", "json").out)["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        found = world.run("cluster", "status")
        late = world.run("get", "pods", "--request-timeout=300ms")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert found.code == 1
    assert "health:" in found.out
    assert "the control plane does not answer" in found.out
    assert "`minikctl cluster stop` ends one that does not" in late.err
    assert world.run("cluster", "status").code == 0


def test_output_is_utf_8_in_every_locale(world: World) -> None:
    assert world.kubeconfig.exists()
    program = "from minikctl.cli.main import main; main()"
    words = ["-c", program, "--cluster", "cli", "create", "-f", "-", "--dry-run=client", "-o", "yaml"]
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: \u2603}\n"
    environment = {**os.environ, "LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, *words], input=manifest.encode(), capture_output=True, env=environment, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "a: \u2603" in done.stdout.decode()


@pytest.mark.parametrize("reason", [errno.EROFS, errno.ENOSPC, errno.EACCES])
def test_what_the_disk_does_not_allow_is_told_in_a_sentence(reason: int) -> None:
    err = io.StringIO()
    error = OSError(reason, os.strerror(reason), "/state/cluster.json")
    assert report.failure(error, session.Io(io.StringIO(), err, io.StringIO())) == 1
    assert err.getvalue() == f"error: /state/cluster.json: {os.strerror(reason)}\n"
