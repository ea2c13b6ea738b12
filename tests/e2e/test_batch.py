"""Jobs, budgets, measurements and several nodes, on real containers and with stock kubectl."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Cluster, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: parts}
spec:
  completions: 3
  parallelism: 2
  completionMode: Indexed
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: main
        image: "minikctl-infra:latest"
        imagePullPolicy: Never
        command: [/bin/sh, -c, 'echo part $JOB_COMPLETION_INDEX on $(hostname)']
"""
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: "minikctl-demo:latest", imagePullPolicy: Never}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}
"""


@pytest.fixture(scope="module")
def three() -> Iterator[Cluster]:
    home = tempfile.mkdtemp(prefix="minikctl-e2e-")
    made = Cluster(home, f"t{uuid.uuid4().hex[:6]}")
    try:
        made.run("cluster", "start", "--egress=false", "--nodes", "3")
        yield made
    finally:
        made.run("cluster", "delete", code=None)
        shutil.rmtree(home, ignore_errors=True)


def places(cluster: Cluster) -> list[str]:
    """Return the nodes of the pods of web that are not leaving."""
    pods = cluster.json("pods", "-l", "app=web")["items"]
    return sorted(each["spec"]["nodeName"] for each in pods if not each["metadata"].get("deletionTimestamp"))


def test_the_parts_of_a_job_know_which_they_are(three: Cluster) -> None:
    three.kubectl("apply", "-f", "-", stdin=JOB)
    three.kubectl("wait", "--for=condition=complete", "job/parts", "--timeout=60s")
    said = sorted(three.kubectl("logs", "-l", "job-name=parts").stdout.splitlines())
    assert said == [f"part {number} on parts-{number}" for number in range(3)]
    status = three.json("job", "parts")["status"]
    assert (status["completedIndexes"], status["succeeded"]) == ("0-2", 3)
    three.kubectl("delete", "job", "parts")
    assert eventually(lambda: not three.json("pods", "-l", "job-name=parts")["items"])


def test_a_node_is_drained_as_its_budget_allows(three: Cluster) -> None:
    nodes = [f"minikctl-{three.name}{suffix}" for suffix in ("", "-2", "-3")]
    three.kubectl("apply", "-f", "-", stdin=WEB)
    three.ready("app=web")
    assert places(three) == nodes, "one on each"

    flags = ("--delete-emptydir-data", "--timeout=60s")
    drained = three.kubectl("drain", nodes[2], *flags)
    assert f"node/{nodes[2]} drained" in drained.stdout
    assert nodes[2] not in places(three)
    three.ready("app=web")
    ours = three.run("drain", nodes[1], *flags)
    assert f"node/{nodes[1]} drained" in ours.stdout
    assert eventually(lambda: places(three) == [nodes[0]] * 3)
    three.run("uncordon", nodes[1], nodes[2])

    three.ready("app=web")
    used = three.kubectl("top", "pods", "--no-headers").stdout.splitlines()
    assert len(used) == 3
    assert three.kubectl("top", "nodes", "--no-headers").stdout.count("minikctl-") == 3
