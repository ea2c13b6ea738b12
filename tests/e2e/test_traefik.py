"""Traefik in a pod: it finds the API by its environment, trusts the mounted CA, and serves Ingresses of its class."""

from __future__ import annotations

import pytest

from tests.clients import programs
from tests.clients.traefik import RIGHTS
from tests.e2e.conftest import Cluster, curl, eventually

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not programs.RUNS_HERE, reason="Traefik is fetched for Linux on x86-64"),
]

CONTROLLER = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: traefik}
spec:
  selector: {matchLabels: {app: traefik}}
  template:
    metadata: {labels: {app: traefik}}
    spec:
      serviceAccountName: traefik
      terminationGracePeriodSeconds: 0
      containers:
      - name: traefik
        image: minikctl-demo:latest
        imagePullPolicy: IfNotPresent
        command:
        - /opt/traefik/traefik
        - --entrypoints.web.address=:8000
        - --ping=true
        - --ping.entrypoint=web
        - --global.checknewversion=false
        - --global.sendanonymoususage=false
        - --providers.kubernetesingress.ingressclass=traefik
        - --providers.kubernetesingress.ingressendpoint.publishedservice=default/traefik
        ports: [{name: web, containerPort: 8000}]
        readinessProbe: {httpGet: {path: /ping, port: web}, periodSeconds: 1}
        volumeMounts: [{name: program, mountPath: /opt/traefik, readOnly: true}]
      volumes: [{name: program, hostPath: {path: %s, type: Directory}}]
---
apiVersion: v1
kind: Service
metadata: {name: traefik}
spec: {type: LoadBalancer, selector: {app: traefik}, ports: [{port: 80, targetPort: web}]}
"""
SITE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: hello}
spec:
  replicas: 2
  selector: {matchLabels: {app: hello}}
  template:
    metadata: {labels: {app: hello}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: app
        image: minikctl-demo:latest
        imagePullPolicy: IfNotPresent
        env: [{name: MESSAGE, value: behind Traefik}]
        ports: [{name: http, containerPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: hello}
spec: {selector: {app: hello}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: hello}
spec:
  ingressClassName: traefik
  rules: [{host: hello.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: hello, port: {number: 80}}}}]}}]
"""


def test_an_ingress_controller_of_somebody_else(cluster: Cluster) -> None:
    programs.ensure("traefik")
    rights = RIGHTS % {"namespace": "default"}
    cluster.kubectl("apply", "-f", "-", stdin=f"{rights}---{CONTROLLER % programs.TRAEFIK.parent}")
    cluster.kubectl("apply", "-f", "-", stdin=SITE)
    cluster.kubectl("rollout", "status", "deploy/traefik", "deploy/hello", "--timeout=90s")
    path = "jsonpath={.status.loadBalancer.ingress[0].ip}"
    address = eventually(lambda: cluster.kubectl("get", "service", "traefik", "-o", path).stdout)
    assert "behind Traefik" in curl(f"http://{address}/", "-H", "Host: hello.example", seconds=30)
    eventually(lambda: cluster.kubectl("get", "ingress", "hello", "-o", path).stdout == address)
    cluster.kubectl("scale", "deploy/hello", "--replicas=1")
    cluster.kubectl("rollout", "restart", "deploy/hello")
    cluster.kubectl("rollout", "status", "deploy/hello", "--timeout=60s")
    assert "behind Traefik" in curl(f"http://{address}/", "-H", "Host: hello.example")
