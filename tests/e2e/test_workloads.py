"""Workloads with names, storage and nodes of their own, on real containers."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from tests.e2e.conftest import Cluster, docker, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

DATABASE = """
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{port: 8080}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 1
      securityContext: {fsGroup: 3000}
      containers:
      - name: main
        image: minikctl-demo:latest
        env: [{name: GENERATION, value: "1"}]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
        volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
STATIC = """
apiVersion: v1
kind: PersistentVolume
metadata: {name: shelf, labels: {kind: shelf}}
spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteMany], hostPath: {path: "%s"}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: shelf}
spec:
  storageClassName: ""
  accessModes: [ReadWriteMany]
  selector: {matchLabels: {kind: shelf}}
  resources: {requests: {storage: 1Gi}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: reader}
spec:
  selector: {matchLabels: {app: reader}}
  template:
    metadata: {labels: {app: reader}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: minikctl-demo:latest
        volumeMounts: [{name: shelf, mountPath: /shelf, readOnly: true}]
      volumes: [{name: shelf, persistentVolumeClaim: {claimName: shelf}}]
"""


def test_a_stateful_set_keeps_its_data(cluster: Cluster) -> None:
    cluster.kubectl("apply", "-f", "-", stdin=DATABASE)
    cluster.kubectl("rollout", "status", "sts/db", "--timeout=60s")
    for name in ("db-0", "db-1"):
        cluster.run("exec", name, "--", "sh", "-c", f"echo of {name} > /data/file")
    asked = ("exec", "db-0", "--", "wget", "-qO-", "http://db-1.db:8080/")
    eventually(lambda: cluster.run(*asked, code=None).stdout.startswith("db-1 says"))
    assert cluster.out("exec", "db-0", "--", "stat", "-c", "%g", "/data/file").strip() == "3000"

    cluster.kubectl("set", "env", "sts/db", "GENERATION=2")
    cluster.kubectl("rollout", "status", "sts/db", "--timeout=60s")
    assert cluster.out("exec", "db-1", "--", "sh", "-c", "cat /data/file; echo $GENERATION").split() == [
        *("of", "db-1"),
        "2",
    ]
    cluster.kubectl("rollout", "undo", "sts/db")
    cluster.kubectl("rollout", "status", "sts/db", "--timeout=60s")
    history = cluster.kubectl("rollout", "history", "sts/db").stdout.split()
    assert history[-4:] == ["2", "<none>", "3", "<none>"]

    cluster.run("cluster", "stop")
    cluster.run("cluster", "start", "--egress=false")
    read = ("exec", "db-0", "--", "cat", "/data/file")
    eventually(lambda: cluster.run(*read, code=None).stdout == "of db-0\n")

    cluster.kubectl("scale", "sts/db", "--replicas=1")
    eventually(lambda: cluster.run("get", "pod", "db-1", code=None).returncode == 1)
    cluster.kubectl("scale", "sts/db", "--replicas=2")
    cluster.kubectl("rollout", "status", "sts/db", "--timeout=60s")
    assert cluster.out("exec", "db-1", "--", "cat", "/data/file") == "of db-1\n"


def test_the_directory_of_a_deleted_claim_goes_once_nobody_uses_it(cluster: Cluster) -> None:
    volumes = pathlib.Path(cluster.home, "clusters", cluster.name, "volumes")
    assert len(list(volumes.iterdir())) == 2
    cluster.run("delete", "pvc", "data-db-1", "--wait=false")
    assert "Terminating" in cluster.out("get", "pvc", "data-db-1")
    cluster.kubectl("scale", "sts/db", "--replicas=1")
    eventually(lambda: len(list(volumes.iterdir())) == 1)
    eventually(lambda: len(cluster.json("pv")["items"]) == 1)
    cluster.run("delete", "sts", "db")
    cluster.run("delete", "pvc", "data-db-0")
    eventually(lambda: not volumes.exists())


def test_daemons_read_a_volume_that_was_there_before(cluster: Cluster, tmp_path: pathlib.Path) -> None:
    (tmp_path / "book").write_text("once upon a time")
    cluster.kubectl("apply", "-f", "-", stdin=STATIC % tmp_path)
    cluster.kubectl("rollout", "status", "ds/reader", "--timeout=60s")
    cluster.ready("app=reader")
    assert cluster.out("exec", "ds/reader", "--", "cat", "/shelf/book") == "once upon a time"
    assert cluster.run("exec", "ds/reader", "--", "touch", "/shelf/new", code=None).returncode != 0
    cluster.run("delete", "ds", "reader")
    cluster.run("delete", "pvc", "shelf")
    eventually(lambda: cluster.json("pv", "shelf")["status"]["phase"] == "Released")
    assert (tmp_path / "book").exists()


SIZED = """
apiVersion: v1
kind: Pod
metadata: {name: sized}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: minikctl-demo:latest
    resources: {requests: {cpu: 100m, memory: 32Mi}, limits: {cpu: 200m, memory: 64Mi}}
"""
LARGER = '{"spec":{"containers":[{"name":"main","resources":{"limits":{"memory":"96Mi"}}}]}}'


def test_a_running_container_gets_other_limits(cluster: Cluster) -> None:
    cluster.kubectl("apply", "-f", "-", stdin=SIZED)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/sized", "--timeout=60s")
    before = cluster.json("pod", "sized")["status"]["containerStatuses"][0]
    cluster.kubectl("patch", "pod", "sized", "--subresource=resize", "-p", LARGER)

    def status() -> dict[str, Any]:
        return dict(cluster.json("pod", "sized")["status"]["containerStatuses"][0])

    eventually(lambda: status()["resources"]["limits"]["memory"] == "96Mi")
    assert (status()["containerID"], status()["restartCount"]) == (before["containerID"], 0)
    limit = docker("inspect", "-f", "{{.HostConfig.Memory}}", before["containerID"].removeprefix("docker://"))
    assert int(limit) == 96 << 20
    seen = "cd /sys/fs/cgroup; cat memory.max 2>/dev/null || cat memory/memory.limit_in_bytes"
    assert int(cluster.out("exec", "sized", "--", "sh", "-c", seen)) == 96 << 20

    def told() -> dict[str, str]:
        found = cluster.json("events", "--field-selector=involvedObject.name=sized")["items"]
        return {event["reason"]: event["message"] for event in found if event["reason"].startswith("Resize")}

    said = eventually(lambda: "ResizeCompleted" in (found := told()) and found)
    assert said["ResizeStarted"].startswith('Pod resize started: {"containers":[{"name":"main","resources":')
    assert said["ResizeCompleted"].startswith("Pod resize completed: ")
    cluster.run("delete", "pod", "sized")


WHOLE = """
apiVersion: v1
kind: Pod
metadata: {name: whole}
spec:
  terminationGracePeriodSeconds: 0
  resources: {requests: {cpu: 100m, memory: 32Mi}, limits: {cpu: 200m, memory: 64Mi}}
  containers: [{name: main, image: minikctl-demo:latest}]
"""


def test_a_running_pod_gets_other_limits_as_a_whole(cluster: Cluster) -> None:
    cluster.kubectl("apply", "-f", "-", stdin=WHOLE)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/whole", "--timeout=60s")
    larger = '{"spec":{"resources":{"requests":{"cpu":"150m"},"limits":{"memory":"96Mi"}}}}'
    cluster.kubectl("patch", "pod", "whole", "--subresource=resize", "-p", larger)

    def status() -> dict[str, Any]:
        return dict(cluster.json("pod", "whole")["status"])

    limits = {"requests": {"cpu": "150m", "memory": "32Mi"}, "limits": {"cpu": "200m", "memory": "96Mi"}}
    eventually(lambda: status().get("resources") == limits)
    assert status()["allocatedResources"] == limits["requests"]
    found = status()["containerStatuses"][0]
    limit = docker("inspect", "-f", "{{.HostConfig.Memory}}", found["containerID"].removeprefix("docker://"))
    assert (int(limit), found["restartCount"]) == (96 << 20, 0)
    refused = cluster.kubectl(
        "patch",
        "pod",
        "whole",
        "--subresource=resize",
        "--type=json",
        "-p",
        '[{"op": "remove", "path": "/spec/resources/limits"}]',
        code=1,
    )
    assert "pod-level resource limits cannot be removed" in refused.stderr
    cluster.run("delete", "pod", "whole")
