"""The examples in every ``--help`` are commands that work: all are read as their command, most are run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from minikctl.cli import catalog, commands, main
from tests.cli.conftest import BIN, call

SHELL = re.compile(r"[|><&]|\$\(")
"""What only a shell understands."""


def examples() -> list[tuple[str, str]]:
    """Return (command's path, example) of every command."""
    found: list[tuple[str, str]] = []

    def walk(path: str, command: commands.Command) -> None:
        found.extend((path, line) for _, line in command.examples)
        for name, child in command.children.items():
            walk(f"{path} {name}", child)

    for verb in catalog.SUMMARIES:
        walk(f"minikctl {verb}", main.load(verb))
    return found


ALL = examples()
OWN = re.compile(r"minikctl\s[^|>&)]*")
"""The part of an example that is minikctl's."""


@pytest.mark.parametrize(("path", "line"), ALL)
def test_an_example_is_a_line_of_its_command(path: str, line: str) -> None:
    parts = [shlex.split(part) for part in OWN.findall(line)]
    assert parts or "curl" in line
    found = [main.find(words[1:]) for words in parts]
    assert not parts or path in [" ".join(each[0])[: len(path)] for each in found if each is not None]
    for each in found:
        assert each is not None
        _, parsed = main.read(*each)
        commands.options_of(each[1], parsed)


INTERACTIVE = "needs a terminal"
ENDLESS = "goes on until it is interrupted"
REAL = "needs processes in containers"
GLOBAL = "changes this machine, or the cluster of the test"
ABSENT = "needs what the sentence beside it takes for granted: a revision, a file of the user's own, a name"
NOT_RUN = {
    r" attach | -it | edit |edit-last-applied|nano": INTERACTIVE,
    r" -w$|--watch|port-forward|logs -f|proxy": ENDLESS,
    r" exec | cp | debug |netpol|why|logs |--from client": REAL,
    r"^curl|certs|drain|cluster (start|stop|delete|kubeconfig|snapshot)|lab|completion fish|plugin": GLOBAL,
    r"docker-compose|rollout resume|convert|kustomize|--at|undo|csr|apply set-|view-last|--kubeconfig|config|"
    r"history deployment/web --revision|replace|abc|subject|uid|wait --|--tls|tls web|id_ed|app\.conf": ABSENT,
}
"""What is not run, and why."""
RUN = [line for _, line in ALL if not any(re.search(pattern, line) for pattern in NOT_RUN)]

PREPARED = """
{apiVersion: v1, kind: ServiceAccount, metadata: {name: robot}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: app}, data: {a: before}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: "minikctl-demo:latest", ports: [{containerPort: 80}], resources: {requests: {cpu: 1m}}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, labels: {app: web}}
spec:
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: c, image: "minikctl-demo:latest"}]}
---
{apiVersion: v1, kind: Pod, metadata: {name: web-1, labels: {tier: x}}, spec: {containers: [{name: c, image: "minikctl-demo:latest", ports: [{containerPort: 80}]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {app: lone}}, spec: {serviceAccountName: robot, containers: [{name: c, image: "minikctl-demo:latest", ports: [{containerPort: 80}]}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {color: blue}}
---
{apiVersion: v1, kind: Secret, metadata: {name: keys}, stringData: {key: value}}
---
{apiVersion: batch/v1, kind: CronJob, metadata: {name: tidy}, spec: {schedule: "@daily", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "minikctl-demo:latest"}]}}}}}}
"""
APP = "{apiVersion: v1, kind: ConfigMap, metadata: {name: app}, data: {a: b}}"
ROLES = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: roles, namespace: default}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
"""


NEEDED = {
    "--from=cronjob/tidy": "CronJob",
    "token": "ServiceAccount|Pod",
    "expose deployment": "Deployment",
    "expose pod": "Pod|ServiceAccount",
    "autoscale": "Deployment",
}
"""What examples that make an object presuppose; all others find all of PREPARED."""


def presupposed(line: str) -> str:
    """Return the manifests of what is there already for whoever types the line."""
    if re.match(r"minikctl (api-|auth|cluster-info|completion|explain|init|options|version)|source", line):
        return ""
    if not re.match(r"minikctl (create|expose|run|autoscale) ", line):
        return PREPARED
    kinds = "|".join(kinds for words, kinds in NEEDED.items() if words in line) or "none"
    return "---\n".join(each for each in PREPARED.split("---\n") if re.search(rf"kind: ({kinds})\b", each))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have a simulated cluster of two nodes that is the default one, and a directory with the examples' files."""
    home, work = tmp_path_factory.mktemp("examples"), tmp_path_factory.mktemp("work")
    for name, text in (
        ("app.yaml", APP),
        ("roles.yaml", ROLES),
        ("manifests/a.yaml", APP),
        ("app/a.yaml", APP),
    ):
        (work / name).parent.mkdir(exist_ok=True)
        (work / name).write_text(text)
    patch = pytest.MonkeyPatch()
    patch.setenv("MINIKCTL_HOME", str(home))
    patch.chdir(work)
    try:
        started = call("cluster", "start", "--runtime", "sim", "--nodes", "2", "--wait=false")
        assert started.code == 0, started.err
        for name in ("dev", "shop"):
            assert call("create", "namespace", name).code == 0
        for node in ("minikctl-default", "minikctl-default-2"):
            for what in ("create", "condition=Ready"):
                met = call("wait", f"--for={what}", f"node/{node}", "--timeout=60s")
                assert met.code == 0, met.err
        yield
    finally:
        call("cluster", "delete")
        patch.undo()


@pytest.mark.parametrize(("number", "line"), list(enumerate(RUN)))
def test_an_example_works(
    cluster: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int, line: str
) -> None:
    """Each is run in a namespace of its own, where what it speaks of is there, and by somebody without preferences."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert call("create", "namespace", f"run-{number}").code == 0
    monkeypatch.setenv("MINIKCTL_NAMESPACE", f"run-{number}")
    if "tour" in line and "create" not in line:
        call("create", "namespace", "tour")
    if line.endswith("NoSchedule-"):
        call("taint", "nodes", "minikctl-default-2", "dedicated=x:NoSchedule")
    manifests = presupposed(line)
    made = call("apply", "-f", "-", stdin=manifests) if manifests else None
    assert made is None or made.code == 0, made
    if SHELL.search(line):
        path = f"{BIN}:{os.environ['PATH']}"
        words = ["bash", "-o", "pipefail", "-c", line]
        done = subprocess.run(
            words, capture_output=True, text=True, env={**os.environ, "PATH": path}, timeout=60, check=False
        )
        code, said = done.returncode, done.stderr
    else:
        found = call(*shlex.split(line)[1:])
        code, said = found.code, found.err
    call("delete", "namespace", f"run-{number}", "--wait=false")
    call("uncordon", "minikctl-default", "minikctl-default-2")
    call("taint", "nodes", "minikctl-default-2", "dedicated-")
    assert code == (1 if re.search(r" diff | can-i list secrets", line) else 0), said
