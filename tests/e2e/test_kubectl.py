"""Stock kubectl on the cluster: apply, get, describe, logs, exec and delete."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Cluster, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: app
        image: minikctl-demo:latest
        imagePullPolicy: IfNotPresent
        env: [{name: MESSAGE, value: by kubectl}]
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {port: 8080}, periodSeconds: 1, timeoutSeconds: 10}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
"""


def test_a_day_with_kubectl(cluster: Cluster) -> None:
    said = cluster.kubectl("apply", "-f", "-", stdin=MANIFEST).stdout
    assert said.splitlines() == ["deployment.apps/web created", "service/web created"]
    assert "deployment.apps/web unchanged" in cluster.kubectl("apply", "-f", "-", stdin=MANIFEST).stdout
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    header, *rows = cluster.kubectl("get", "pods", "-l", "app=web").stdout.splitlines()
    assert header.split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert [row.split()[1:3] for row in rows] == [["1/1", "Running"]] * 2
    pod = rows[0].split()[0]
    assert "Container started" in cluster.kubectl("describe", "pod", pod).stdout
    done = cluster.kubectl("exec", pod, "--", "sh", "-c", "echo out; echo err >&2; exit 7", code=7)
    assert (done.stdout, "err" in done.stderr) == ("out\n", True)
    assert cluster.kubectl("exec", "-i", pod, "--", "cat", stdin="through\n").stdout == "through\n"
    asked = ("exec", pod, "--", "wget", "-qO-", "http://web/")
    eventually(lambda: cluster.kubectl(*asked, code=None).returncode == 0)
    cluster.kubectl("logs", pod)
    cluster.kubectl("scale", "deployment/web", "--replicas=1")
    eventually(lambda: len(cluster.json("pods", "-l", "app=web")["items"]) == 1)
    assert "web" in cluster.kubectl("get", "all").stdout
    cluster.kubectl("label", "service", "web", "tier=front")
    cluster.kubectl("patch", "service", "web", "-p", '{"spec":{"sessionAffinity":"ClientIP"}}')
    assert cluster.kubectl("get", "endpoints,endpointslices").stdout
    said = cluster.kubectl("delete", "-f", "-", stdin=MANIFEST).stdout
    assert 'deployment.apps "web" deleted' in said
    eventually(lambda: not cluster.json("pods", "-l", "app=web")["items"])


def test_minikctl_and_kubectl_print_the_same(cluster: Cluster) -> None:
    for words in (
        ["get", "pods", "-n", "kube-system", "-o", "name"],
        [
            "get",
            "services",
            "-A",
            "-o",
            "custom-columns=N:.metadata.name,IP:.spec.clusterIP,P:.spec.ports[*].port",
        ],
        ["get", "configmaps", "-n", "kube-system", "-o", "yaml"],
        ["get", "deployments", "-n", "kube-system", "-o", "jsonpath={.items[*].metadata.name}"],
        ["get", "namespaces", "-o", "custom-columns=NAME:.metadata.name,PHASE:.status.phase"],
        ["get", "configmap", "nobody"],
        ["get", "pods"],
    ):
        ours, theirs = cluster.run(*words, code=None), cluster.kubectl(*words, code=None)
        assert (ours.stdout, ours.stderr, ours.returncode) == (
            theirs.stdout,
            theirs.stderr,
            theirs.returncode,
        ), words
