"""Pods behind Services as admission webhook, aggregated API and converter of versions, asked by stock kubectl."""

from __future__ import annotations

import base64
import json
import pathlib
from typing import Any

import pytest

from tests.e2e.conftest import Cluster, eventually
from tests.extensions.webhook import certificate

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

GROUP = "wardle.example.com"
PREFIX = f"/apis/{GROUP}/v1alpha1"
PATCH = [{"op": "add", "path": "/metadata/labels", "value": {"hooked": "yes"}}]
RESOURCE = {
    "name": "flunders",
    "singularName": "flunder",
    "namespaced": True,
    "kind": "Flunder",
    "verbs": ["get", "list"],
}
RESOURCES = {
    "kind": "APIResourceList",
    "apiVersion": "v1",
    "groupVersion": f"{GROUP}/v1alpha1",
    "resources": [RESOURCE],
}
FLUNDER = {
    "apiVersion": f"{GROUP}/v1alpha1",
    "kind": "Flunder",
    "metadata": {"name": "%[req.hdr(x-remote-user)]", "namespace": "default"},
}
FLUNDERS = {"apiVersion": f"{GROUP}/v1alpha1", "kind": "FlunderList", "metadata": {}, "items": [FLUNDER]}


def answer(condition: str, **response: Any) -> str:
    review = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": "%[var(txn.uid)]", **response},
    }
    return returned(review, condition)


def returned(body: Any, condition: str) -> str:
    text = json.dumps(body)
    return f" http-request return status 200 content-type application/json lf-string '{text}' if {condition}"


CONFIG = "\n".join(
    [
        "global",
        " tune.bufsize 131072",
        "defaults",
        " mode http",
        " timeout client 10s",
        "frontend hook",
        " bind :8443 ssl crt /etc/secret/tls.pem",
        " option http-buffer-request",
        " http-request set-var(txn.uid) req.body,json_query('$.request.uid')",
        " http-request set-var(txn.name) req.body,json_query('$.request.name')",
        answer(
            "{ path /validate } { var(txn.name) -m beg bad }",
            allowed=False,
            status={"code": 403, "message": "%[var(txn.name)] is a bad name"},
        ),
        answer("{ path /validate }", allowed=True, warnings=["looked at"]),
        answer(
            "{ path /mutate }",
            allowed=True,
            patchType="JSONPatch",
            patch=base64.b64encode(json.dumps(PATCH).encode()).decode(),
        ),
        returned(RESOURCES, f"{{ path {PREFIX} }}"),
        returned(FLUNDERS, f"{{ path {PREFIX}/namespaces/default/flunders }}"),
        " http-request return status 404",
        "",
    ]
)


def hook(kind: str, path: str, bundle: str) -> dict[str, Any]:
    service = {"namespace": "default", "name": "hook", "path": path}
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
    webhook = {
        "name": f"{kind.lower()}.example.com",
        "clientConfig": {"service": service, "caBundle": bundle},
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": "hook"},
        "webhooks": [webhook],
    }


def workload(pem: str) -> list[dict[str, Any]]:
    meta = {"name": "hook", "namespace": "default"}
    container = {
        "name": "haproxy",
        "image": "minikctl-infra:latest",
        "imagePullPolicy": "IfNotPresent",
        "command": ["haproxy", "-db", "-f", "/etc/hook/haproxy.cfg"],
        "readinessProbe": {"tcpSocket": {"port": 8443}, "periodSeconds": 1},
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/hook"},
            {"name": "secret", "mountPath": "/etc/secret"},
        ],
    }
    volumes = [
        {"name": "config", "configMap": {"name": "hook"}},
        {"name": "secret", "secret": {"secretName": "hook"}},
    ]
    spec = {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 0}
    ports = [{"name": "https", "port": 443, "targetPort": 8443}]
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"haproxy.cfg": CONFIG}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"tls.pem": pem}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {**meta, "labels": {"app": "hook"}}, "spec": spec},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"selector": {"app": "hook"}, "ports": ports},
        },
    ]


def apply(cluster: Cluster, *found: dict[str, Any]) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": found})
    cluster.kubectl("apply", "-f", "-", stdin=text)


def ready(cluster: Cluster) -> None:
    """Return once the pod is Ready and its Service leads there, by which the API server finds it."""
    cluster.kubectl("wait", "pod/hook", "--for=condition=Ready", "--timeout=60s")
    address = "jsonpath={.items[*].endpoints[?(@.conditions.ready)].addresses[0]}"
    words = ("get", "endpointslices", "-l", "kubernetes.io/service-name=hook", "-o", address)
    own = cluster.json("pod", "hook")["status"]["podIP"]
    eventually(lambda: cluster.kubectl(*words).stdout == own)


def test_a_pod_is_asked_before_something_is_stored_and_answers_for_a_group(
    cluster: Cluster, tmp_path: pathlib.Path
) -> None:
    path, bundle = certificate(tmp_path, "hook.default.svc")
    apply(cluster, *workload(pathlib.Path(path).read_text()))
    ready(cluster)
    apply(cluster, hook("Mutating", "/mutate", bundle), hook("Validating", "/validate", bundle))

    made = cluster.kubectl("create", "configmap", "good")
    assert made.stderr == "Warning: looked at\n"
    assert json.loads(cluster.kubectl("get", "cm", "good", "-o", "json").stdout)["metadata"]["labels"] == {
        "hooked": "yes"
    }
    refused = cluster.kubectl("create", "configmap", "bad-one", code=1)
    said = 'admission webhook "validating.example.com" denied the request: bad-one is a bad name'
    assert refused.stderr == f"error: failed to create configmap: {said}\n"

    spec = {
        "group": GROUP,
        "version": "v1alpha1",
        "groupPriorityMinimum": 1000,
        "versionPriority": 15,
        "service": {"namespace": "default", "name": "hook"},
        "caBundle": bundle,
    }
    meta = {"name": f"v1alpha1.{GROUP}"}
    apply(
        cluster,
        {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": meta, "spec": spec},
    )
    cluster.kubectl("wait", f"apiservice/{meta['name']}", "--for=condition=Available", "--timeout=30s")
    listed = cluster.kubectl("get", "flunders", "-o", "name").stdout
    assert listed == f"flunder.{GROUP}/kubernetes-admin\n"
    assert "flunders" in cluster.kubectl("api-resources", f"--api-group={GROUP}").stdout

    cluster.kubectl("delete", "pod", "hook", "--now")
    failed = cluster.kubectl("create", "configmap", "late", code=1).stderr
    service = "https://hook.default.svc:443/mutate?timeout=10s"
    why = f'failed calling webhook "mutating.example.com": failed to call webhook: Post "{service}": '
    assert f"Internal error occurred: {why}" in failed

    def unavailable() -> bool:
        return cluster.kubectl("get", "apiservice", meta["name"]).stdout.split()[-2:-1] == [
            "(MissingEndpoints)"
        ]

    eventually(unavailable)
    gone = cluster.kubectl("get", "flunders", code=1).stderr
    assert "the server is currently unable to handle the request" in gone


TLS = "\n".join(
    [
        "defaults",
        " mode http",
        " timeout client 10s",
        " timeout connect 1s",
        " timeout server 10s",
        "listen converter",
        " bind :8443 ssl crt /etc/secret/tls.pem",
        " http-request set-header connection close",
        " server python 127.0.0.1:8080",
        "",
    ]
)
CONVERTER = """
import json, socket

def converted(one, wanted):
    spec = one["spec"]
    if wanted.endswith("/v2"):
        host, _, port = spec.pop("hostPort").partition(":")
        spec.update(host=host, port=port)
    else:
        spec["hostPort"] = spec.pop("host") + ":" + spec.pop("port")
    return {**one, "apiVersion": wanted}

def answer(client):
    data = b""
    while b"\\r\\n\\r\\n" not in data:
        data += client.recv(65536)
    head, _, body = data.partition(b"\\r\\n\\r\\n")
    length = int(head.lower().split(b"content-length:")[1].split()[0])
    while len(body) < length:
        body += client.recv(65536)
    asked = json.loads(body)["request"]
    made = [converted(one, asked["desiredAPIVersion"]) for one in asked["objects"]]
    response = {"uid": asked["uid"], "convertedObjects": made, "result": {"status": "Success"}}
    review = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response": response}
    data = json.dumps(review).encode()
    client.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\nconnection: close\\r\\n")
    client.sendall(b"content-length: %d\\r\\n\\r\\n" % len(data) + data)

server = socket.create_server(("127.0.0.1", 8080))
open("/tmp/listens", "w").close()
while True:
    client, _ = server.accept()
    with client:
        answer(client)
"""


def converter(pem: str) -> list[dict[str, Any]]:
    config, secret, pod, service = workload(pem)
    config["data"] = {"haproxy.cfg": TLS, "converter.py": CONVERTER}
    [proxy] = pod["spec"]["containers"]
    probe = {"exec": {"command": ["test", "-e", "/tmp/listens"]}, "periodSeconds": 1, "timeoutSeconds": 10}
    python = {**proxy, "name": "python", "command": ["python3", "-u", "/etc/hook/converter.py"]}
    python["readinessProbe"] = probe  # it listens to its neighbour alone
    pod["spec"]["containers"].append(python)
    return [config, secret, pod, service]


def endpoints(bundle: str) -> dict[str, Any]:
    def version(name: str, *fields: str) -> dict[str, Any]:
        spec = {"type": "object", "properties": {field: {"type": "string"} for field in fields}}
        schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
        return {"name": name, "served": True, "storage": name == "v1", "schema": schema}

    client = {"service": {"namespace": "default", "name": "hook", "path": "/convert"}, "caBundle": bundle}
    webhook = {"clientConfig": client, "conversionReviewVersions": ["v1"]}
    spec = {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "sites", "singular": "site", "kind": "Site"},
        "versions": [version("v1", "hostPort"), version("v2", "host", "port")],
        "conversion": {"strategy": "Webhook", "webhook": webhook},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "sites.example.com"},
        "spec": spec,
    }


def test_a_pod_converts_between_versions(cluster: Cluster, tmp_path: pathlib.Path) -> None:
    path, bundle = certificate(tmp_path, "hook.default.svc")
    apply(cluster, *converter(pathlib.Path(path).read_text()))
    ready(cluster)
    apply(cluster, endpoints(bundle))
    cluster.kubectl("wait", "crd/sites.example.com", "--for=condition=Established", "--timeout=30s")

    def spec(version: str, name: str) -> Any:
        found = cluster.kubectl("get", f"sites.{version}.example.com", name, "-o", "json").stdout
        return json.loads(found)["spec"]

    kind, meta = {"kind": "Site"}, {"namespace": "default"}
    old = {"apiVersion": "example.com/v1", **kind, "metadata": {**meta, "name": "old"}}
    new = {"apiVersion": "example.com/v2", **kind, "metadata": {**meta, "name": "new"}}
    apply(cluster, {**old, "spec": {"hostPort": "a.example:80"}})
    apply(cluster, {**new, "spec": {"host": "b.example", "port": "81"}})
    assert spec("v2", "old") == {"host": "a.example", "port": "80"}
    assert spec("v1", "new") == {"hostPort": "b.example:81"}
    listed = cluster.kubectl("get", "sites.v2.example.com", "-o", "jsonpath={.items[*].spec.port}").stdout
    assert listed == "81 80"
    cluster.kubectl("patch", "sites.v2.example.com", "old", "--type=merge", "-p", '{"spec":{"port":"90"}}')
    assert spec("v1", "old") == {"hostPort": "a.example:90"}

    cluster.kubectl("delete", "pod", "hook", "--now")
    apply(cluster, {**old, "metadata": {**meta, "name": "late"}, "spec": {"hostPort": "c.example:82"}})
    failed = cluster.kubectl("get", "sites.v2.example.com", "late", code=1).stderr
    service = "https://hook.default.svc:443/convert?timeout=30s"
    assert f'conversion webhook for example.com/v1, Kind=Site failed: Post "{service}": ' in failed
    assert spec("v1", "late") == {"hostPort": "c.example:82"}
    cluster.kubectl("delete", "crd", "sites.example.com")


def test_a_policy_refuses_in_the_words_of_kubectl(cluster: Cluster) -> None:
    rule = {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["deployments"],
    }
    expression = {"expression": "object.spec.replicas <= 3", "message": "too many"}
    spec = {"matchConstraints": {"resourceRules": [rule]}, "validations": [expression]}
    base = {"apiVersion": "admissionregistration.k8s.io/v1"}
    apply(
        cluster,
        {**base, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": "few"}, "spec": spec},
        {
            **base,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": "few-here"},
            "spec": {"policyName": "few", "validationActions": ["Deny"]},
        },
    )
    words = ("create", "deployment", "web", "--image=minikctl-demo:latest", "--replicas=4")
    refused = cluster.kubectl(*words, code=1).stderr
    assert "ValidatingAdmissionPolicy 'few' with binding 'few-here' denied request: too many" in refused
    cluster.kubectl(*words[:-1], "--replicas=0")
    words = ("patch", "deployment", "web", "-p", '{"spec":{"replicas":4}}')
    said = "ValidatingAdmissionPolicy 'few' with binding 'few-here' denied request: too many"
    assert cluster.kubectl(*words, code=1).stderr == f'The deployments "web" is invalid: : {said}\n'
    assert cluster.run(*words, code=1).stderr == f'The deployments "web" is invalid: : {said}\n'
