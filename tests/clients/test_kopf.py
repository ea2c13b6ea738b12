"""A kopf operator as they are written: children by ownership, finalizers, timers, daemons, and a restart meanwhile."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import Popen

import pytest

from tests.clients import programs
from tests.clients.conftest import Cluster, Outcome, eventually
from tests.extensions.webhook import certificate

pytestmark = pytest.mark.timeout(300)

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: sites.web.example}
spec:
  group: web.example
  scope: Namespaced
  names: {kind: Site, plural: sites, singular: site}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [message]
            properties: {message: {type: string}, replicas: {type: integer, default: 1, minimum: 0}}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
    additionalPrinterColumns: [{name: Ready, type: integer, jsonPath: .status.ready}]
"""
SITE = """
apiVersion: web.example/v1
kind: Site
metadata: {name: mine}
spec: {message: first, replicas: 2}
"""
OPERATOR = """
import asyncio

import kopf
import kubernetes


@kopf.on.startup()
def configure(settings, **_):
    settings.persistence.finalizer = "web.example/operator"
    kubernetes.config.load_kube_config()


def children(name, namespace, spec):
    labels = {"site": name}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"message": spec["message"]}}
    container = {"name": "app", "image": "minikctl-demo:latest"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    deployment = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": spec["replicas"], "selector": {"matchLabels": labels}, "template": template},
    }
    kopf.adopt([config, deployment])
    return config, deployment


@kopf.on.create("web.example", "v1", "sites")
@kopf.on.update("web.example", "v1", "sites", field="spec")
@kopf.on.resume("web.example", "v1", "sites")
def ensure(name, namespace, spec, patch, **_):
    config, deployment = children(name, namespace, spec)
    how = {"field_manager": "site-operator", "force": True, "_content_type": "application/apply-patch+yaml"}
    kubernetes.client.CoreV1Api().patch_namespaced_config_map(name, namespace, config, **how)
    kubernetes.client.AppsV1Api().patch_namespaced_deployment(name, namespace, deployment, **how)
    patch.status["message"] = spec["message"]


@kopf.on.event("apps", "v1", "deployments")
def follow(event, meta, status, namespace, **_):
    owners = [each for each in meta.get("ownerReferences") or () if each["kind"] == "Site"]
    if owners and event["type"] != "DELETED":
        body = {"status": {"ready": status.get("readyReplicas", 0)}}
        try:
            kubernetes.client.CustomObjectsApi().patch_namespaced_custom_object_status(
                "web.example", "v1", namespace, "sites", owners[0]["name"], body
            )
        except kubernetes.client.ApiException as error:
            if error.status != 404:
                raise


@kopf.timer("web.example", "v1", "sites", interval=0.5)
def tick(patch, status, **_):
    patch.status["ticks"] = status.get("ticks", 0) + 1


@kopf.on.delete("web.example", "v1", "sites")
def farewell(name, namespace, body, **_):
    kopf.info(body, reason="Farewell", message=f"{name} goes")
    kubernetes.client.CoreV1Api().create_namespaced_config_map(namespace, {"metadata": {"name": f"{name}-went"}})
"""

ADMITTING = """
import kopf


@kopf.on.startup()
def configure(settings, **_):
    settings.admission.managed = "auto.kopf.dev"
    settings.admission.server = kopf.WebhookServer(
        addr="127.0.0.1", host="127.0.0.1", certfile="CERT", pkeyfile="CERT", cafile="CERT"
    )


@kopf.on.validate("web.example", "v1", "sites", operations=["CREATE", "UPDATE"])
def judge(spec, warnings, dryrun, **_):
    if "rude" in spec["message"]:
        raise kopf.AdmissionError("mind your words", code=418)
    warnings.append(f"dry: {dryrun}")


@kopf.on.mutate("web.example", "v1", "sites", operations=["CREATE"])
def complete(patch, userinfo, **_):
    patch.metadata.annotations["web.example/by"] = userinfo["username"]
"""


@pytest.fixture
def defined(cluster: Cluster) -> Iterator[None]:
    cluster.kubectl("apply", "-f", "-", stdin=CRD)
    cluster.kubectl("wait", "crd/sites.web.example", "--for=condition=Established", "--timeout=60s")
    yield
    # What an operator that failed has left keeps neither its objects nor the next test from going on.
    for kind in ("mutating", "validating"):
        cluster.kubectl("delete", f"{kind}webhookconfiguration", "auto.kopf.dev", "--ignore-not-found")
    free = ("--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    places = "{range .items[*]}{.metadata.namespace} {.metadata.name}{'\\n'}{end}"
    for line in cluster.kubectl("get", "sites", "-A", "-o", f"jsonpath={places}").splitlines():
        cluster.run(
            programs.KUBECTLS["1.37"], "patch", "site", "-n", *line.split(), *free
        )  # or gone meanwhile
    cluster.kubectl("delete", "crd", "sites.web.example", "--timeout=60s")


@pytest.mark.usefixtures("defined")
def test_an_operator_through_a_restart(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    program = tmp_path / "operator.py"
    program.write_text(OPERATOR)

    def running(number: int) -> AbstractContextManager[Popen[bytes]]:
        command = ("-W", "ignore", "-m", "kopf", "run", "--standalone", "-n", namespace, str(program))
        return cluster.background(
            sys.executable, *command, log=tmp_path / f"log-{number}", PYTHONUNBUFFERED="1"
        )

    def kubectl(*words: str, stdin: str = "") -> str:
        return cluster.kubectl("-n", namespace, *words, stdin=stdin)

    def shown(what: str, path: str) -> str:
        return kubectl("get", what, "-o", f"jsonpath={path}")

    with running(1):
        kubectl("apply", "-f", "-", stdin=SITE)
        eventually(lambda: shown("site/mine", "{.status.message}") == "first")
        eventually(lambda: shown("site/mine", "{.status.ready}") == "2")
        assert shown("site/mine", "{.metadata.finalizers}") == '["web.example/operator"]'
        assert shown("cm/mine", "{.metadata.ownerReferences[0].kind}") == "Site"
        assert "2" in kubectl("get", "sites").splitlines()[1].split()
        kubectl("patch", "site", "mine", "--type=merge", "-p", '{"spec":{"replicas":3}}')
        eventually(lambda: shown("deploy/mine", "{.status.readyReplicas}") == "3")
        eventually(lambda: int(shown("site/mine", "{.status.ticks}") or 0) > 2)
    # While nobody runs the operator, the wish changes and a deletion begins.
    kubectl("patch", "site", "mine", "--type=merge", "-p", '{"spec":{"message":"second"}}')
    kubectl("delete", "configmap", "mine")
    with running(2):
        eventually(lambda: shown("site/mine", "{.status.message}") == "second")
        assert shown("cm/mine", "{.data.message}") == "second"
    kubectl("delete", "site", "mine", "--wait=false")
    assert "deletionTimestamp" in kubectl("get", "site", "mine", "-o", "json")
    with running(3):
        eventually(lambda: kubectl("get", "sites", "-o", "name") == "")
        eventually(
            lambda: (
                kubectl("get", "deploy,pods,cm", "-o", "name").split()
                == ["configmap/kube-root-ca.crt", "configmap/mine-went"]
            )
        )
        eventually(lambda: "mine goes" in kubectl("get", "events"))


@pytest.mark.usefixtures("defined")
def test_an_operator_that_judges_and_changes_what_is_written(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    pem, _ = certificate(tmp_path, "127.0.0.1")
    program = tmp_path / "operator.py"
    program.write_text(ADMITTING.replace("CERT", pem))
    command = ("-W", "ignore", "-m", "kopf", "run", "--standalone", "-n", namespace, str(program))

    def kubectl(*words: str, stdin: str = "") -> Outcome:
        return cluster.run(programs.KUBECTLS["1.37"], "-n", namespace, *words, stdin=stdin)

    def told(*words: str) -> str:
        return kubectl("get", *words).out

    with cluster.background(sys.executable, *command, log=tmp_path / "log", PYTHONUNBUFFERED="1"):
        for kind in ("mutating", "validating"):
            configured = (
                f"{kind}webhookconfiguration",
                "auto.kopf.dev",
                "-o",
                "jsonpath={.webhooks[*].name}",
            )
            eventually(functools.partial(told, *configured))
        made = kubectl("apply", "-f", "-", stdin=SITE)
        assert (made.code, made.err) == (0, "Warning: dry: False\n"), made
        by = kubectl("get", "site", "mine", "-o", r"jsonpath={.metadata.annotations.web\.example/by}").out
        assert by == "kubernetes-admin"
        other = SITE.replace("mine", "other")
        assert kubectl("apply", "--dry-run=server", "-f", "-", stdin=other).err == "Warning: dry: True\n"
        refused = kubectl("patch", "site", "mine", "--type=merge", "-p", '{"spec":{"message":"rude"}}')
        assert refused.code == 1
        assert 'admission webhook "judge.auto.kopf.dev" denied the request: mind your words' in refused.err
