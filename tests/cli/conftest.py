"""A simulated cluster for the tests of the command line, and the program run inside the test's process."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from minikctl.cli import main, session

BIN = Path(sys.executable).parent
KUBECTL = str(BIN / "kubectl")

MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data: {a: b, lines: "x\\ny\\n"}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http, name: http}]}
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
      containers:
      - name: c
        image: "minikctl-demo:latest"
        ports: [{containerPort: 8080, name: http}]
        env: [{name: A, value: b}]
        resources: {requests: {cpu: 10m}, limits: {memory: 64Mi}}
      - name: d
        image: "minikctl-demo:latest"
        command: [sleep, "1000"]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers: [{name: c, image: "minikctl-demo:latest", volumeMounts: [{name: data, mountPath: /data}]}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: c, image: "minikctl-demo:latest"}]}
"""


@dataclass(frozen=True)
class Outcome:
    """How a command line ended."""

    code: int
    out: str
    err: str


def call(*words: str, stdin: str = "") -> Outcome:
    """Run one command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    code = main.run(list(words), session.Io(out, err, io.StringIO(stdin)))
    return Outcome(code, out.getvalue(), err.getvalue())


class World:
    """A simulated cluster with a few objects, and two programs to ask it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.kubeconfig = home / "kubeconfig"

    def run(self, *words: str, stdin: str = "") -> Outcome:
        """Run minikctl."""
        return call("--cluster", "cli", *words, stdin=stdin)

    def kubectl(self, *words: str, stdin: str = "") -> Outcome:
        """Run stock kubectl."""
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.home)}
        done = subprocess.run(
            [KUBECTL, *words],
            input=stdin,
            capture_output=True,
            text=True,
            env=environment,
            timeout=60,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Yield a running simulated cluster with the objects of MANIFEST."""
    home = tmp_path_factory.mktemp("cli")
    before = os.environ.get("MINIKCTL_HOME")
    os.environ["MINIKCTL_HOME"] = str(home)
    found = World(home)
    try:
        started = found.run("cluster", "start", "--runtime", "sim", "--wait=false")
        assert started.code == 0, started.err
        found.kubeconfig.write_text(found.run("cluster", "kubeconfig").out)
        applied = found.run("apply", "-f", "-", stdin=MANIFEST)
        assert applied.code == 0, applied.err
        ready = found.run("wait", "--for=condition=Available", "deploy/web", "--timeout=30s")
        assert ready.code == 0, ready.err
        yield found
    finally:
        found.run("cluster", "delete")
        if before is None:
            del os.environ["MINIKCTL_HOME"]
        else:
            os.environ["MINIKCTL_HOME"] = before
