"""Jobs, budgets, measurements and several nodes, on real containers and with stock kubectl."""

from __future__ import annotations

import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import Cluster, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

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

BUSY = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: busy}
spec:
  selector: {matchLabels: {app: busy}}
  template:
    metadata: {labels: {app: busy}}
    spec:
      terminationGracePeriodSeconds: 0
      nodeSelector: {kubernetes.io/hostname: FIRST}
      containers:
      - name: main
        image: minikctl-infra:latest
        imagePullPolicy: Never
        command: [sh, -c, "while [ ! -e /calm/down ]; do :; done; exec sleep 10000"]
        resources: {requests: {cpu: 20m}, limits: {cpu: 50m}}
        volumeMounts: [{name: calm, mountPath: /calm}]
      volumes: [{name: calm, configMap: {name: calm, optional: true}}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: busy}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: busy}
  maxReplicas: 3
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}]
  behavior: {scaleDown: {stabilizationWindowSeconds: 20}}
"""


@pytest.fixture(scope="module")
def three() -> Iterator[Cluster]:
    home = tempfile.mkdtemp(prefix="minikctl-e2e-")
    made = Cluster(home, f"t{uuid.uuid4().hex[:6]}")
    try:
        made.run("cluster", "start", "--egress=false", "--nodes", "3")
        # On the node that no test drains.  Nothing counts of a pod's first half minute: it passes meanwhile.
        made.kubectl("apply", "-f", "-", stdin=BUSY.replace("FIRST", f"minikctl-{made.name}"))
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
    three.rolled_out("deploy/web")
    assert places(three) == nodes, "one on each"

    flags = ("--delete-emptydir-data", "--timeout=60s")
    drained = three.kubectl("drain", nodes[2], *flags)
    assert f"node/{nodes[2]} drained" in drained.stdout
    assert nodes[2] not in places(three)
    three.rolled_out("deploy/web")
    ours = three.run("drain", nodes[1], *flags)
    assert f"node/{nodes[1]} drained" in ours.stdout
    assert eventually(lambda: places(three) == [nodes[0]] * 3)
    three.run("uncordon", nodes[1], nodes[2])

    three.rolled_out("deploy/web")
    used = ("top", "pods", "-l", "app=web", "--no-headers")
    eventually(lambda: len(three.kubectl(*used, code=None).stdout.splitlines()) == 3)
    eventually(
        lambda: three.kubectl("top", "nodes", "--no-headers", code=None).stdout.count("minikctl-") == 3
    )


@pytest.mark.timeout(240)
def test_busy_pods_get_company_that_leaves_once_all_are_calm_for_long_enough(three: Cluster) -> None:
    """Processors are really used: twice what is asked for."""

    def autoscaler() -> dict[str, Any]:
        return dict(three.json("hpa", "busy")["status"])

    def told() -> list[str]:
        found = three.json("events", "--field-selector=involvedObject.name=busy,reason=SuccessfulRescale")
        return [event["message"] for event in found["items"]]

    eventually(lambda: autoscaler().get("desiredReplicas") == 3, 90)
    above = "New size: 3; reason: cpu resource utilization (percentage of request) above target"
    eventually(lambda: above in told())
    eventually(lambda: three.json("deployment", "busy")["status"].get("readyReplicas") == 3, 60)
    used = autoscaler()["currentMetrics"][0]["resource"]["current"]["averageUtilization"]
    assert used > 60

    three.kubectl("create", "configmap", "calm", "--from-literal=down=1")
    calm = time.monotonic()
    eventually(lambda: autoscaler()["desiredReplicas"] == 1, 90)
    assert time.monotonic() - calm >= 20, "what was wanted last counts on for as long"
    eventually(lambda: "New size: 1; reason: All metrics below target" in told())
    eventually(lambda: len(three.json("pods", "-l", "app=busy")["items"]) == 1)
    three.kubectl("delete", "hpa/busy", "deployment/busy", "configmap/calm")
