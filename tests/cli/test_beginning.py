"""Getting started: a scaffolded app, an app from a Compose file, and a picture of what runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from minikctl import errors
from minikctl.cli import compose
from minikctl.cli.output import picture
from tests.cli.conftest import World

COMPOSE = """
name: shop
services:
  web:
    image: nginx:1
    ports: ["8080:80", {target: 53, published: 5353, protocol: udp}]
    environment: {A: b, C: true, D: }
    volumes: ["data:/data", "./src:/src:ro", "/scratch", {type: tmpfs, target: /tmp}]
    depends_on: [db]
    deploy: {replicas: 2, resources: {limits: {cpus: "0.5", memory: 128M}}}
    healthcheck: {test: ["CMD", "true"], interval: 1m30s, retries: 3}
    logging: {driver: none}
  db:
    image: postgres
    command: postgres -c "a b"
    environment: [X=y]
    user: "70:71"
    expose: [5432]
volumes: {data: {}}
secrets: {s: {}}
"""


def converted(text: str) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return the manifests by kind and name, and the remarks."""
    objects, remarks = compose.convert(yaml.safe_load(text), "/work")
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in objects}, remarks


def test_a_compose_file_becomes_workloads_services_and_claims() -> None:
    found, remarks = converted(COMPOSE)
    assert list(found) == [
        "PersistentVolumeClaim/data",
        "Deployment/web",
        "Service/web",
        "Deployment/db",
        "Service/db",
    ]
    assert remarks == ["secrets: not taken over", "services.web.logging: not taken over"]
    web = found["Deployment/web"]["spec"]
    container = web["template"]["spec"]["containers"][0]
    assert web["replicas"] == 2
    assert web["strategy"] == {"type": "Recreate"}
    assert container["env"] == [
        {"name": "A", "value": "b"},
        {"name": "C", "value": "true"},
        {"name": "D", "value": ""},
    ]
    assert container["resources"] == {"limits": {"cpu": "0.5", "memory": "128Mi"}}
    assert container["readinessProbe"] == {
        "exec": {"command": ["true"]},
        "periodSeconds": 90,
        "failureThreshold": 3,
    }
    assert web["template"]["spec"]["volumes"] == [
        {"name": "data-0", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "data-1", "hostPath": {"path": "/work/src"}},
        {"name": "data-2", "emptyDir": {}},
        {"name": "data-3", "emptyDir": {"medium": "Memory"}},
    ]
    assert container["volumeMounts"][1] == {"name": "data-1", "mountPath": "/src", "readOnly": True}
    assert found["Service/web"]["spec"]["type"] == "LoadBalancer"
    assert found["Service/web"]["spec"]["ports"][1] == {
        "name": "udp-5353",
        "port": 5353,
        "targetPort": 53,
        "protocol": "UDP",
    }
    database = found["Deployment/db"]["spec"]["template"]["spec"]["containers"][0]
    assert database["args"] == ["postgres", "-c", "a b"]
    assert database["securityContext"] == {"runAsUser": 70, "runAsGroup": 71}
    assert "type" not in found["Service/db"]["spec"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: b", "it is no Compose file"),
        ("services: {a: {build: .}}", "has no image"),
        ("services: {a: b}", "is no service"),
    ],
)
def test_what_cannot_be_converted_is_told(text: str, words: str) -> None:
    with pytest.raises(errors.UsageError, match=words):
        converted(text)


def test_the_server_accepts_what_was_converted(world: World, tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text(COMPOSE)
    made = world.run("convert", str(path))
    assert "Warning: services.web.logging: not taken over" in made.err
    applied = world.run("apply", "-f", "-", "--dry-run=server", "-n", "kube-public", stdin=made.out)
    assert applied.code == 0, applied.err


def test_a_new_app_can_be_applied(world: World, tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    made = world.run("init", "shop", "--host=shop.localhost", "-o", str(path))
    assert made.out == f"{path} written.  Next: minikctl apply -f {path} --wait\n"
    assert world.run("init", "shop", "-o", str(path)).code == 1
    applied = world.run("apply", "-f", str(path), "--dry-run=server")
    assert [line.split("/")[0] for line in applied.out.splitlines()] == [
        "configmap",
        "service",
        "deployment.apps",
        "ingress.networking.k8s.io",
    ]
    assert world.run("init", "No Name").code == 1


DRAWING = picture.Drawing(
    (
        [picture.Box("in", "host")],
        [picture.Box("a"), picture.Box("b")],
        [picture.Box("x", "Error", True), picture.Box("y"), picture.Box("z")],
    ),
    [((0, 0), (1, 1)), ((1, 1), (2, 0)), ((1, 1), (2, 2))],
)


def test_lines_lead_from_box_to_box() -> None:
    assert picture.text(DRAWING) == [
        "in (host) ──╮    a   ╭──▶ x (Error)",
        "            ╰──▶ b ──┤    y",
        "                     ╰──▶ z",
    ]


def test_the_picture_is_well_formed() -> None:
    from xml.etree import ElementTree

    root = ElementTree.fromstring(picture.svg(DRAWING))
    space = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f"{space}path")) == 3
    assert len(root.findall(f"{space}rect")) == 7


def test_the_map_shows_the_way_to_pods(world: World) -> None:
    text = world.run("map").out
    assert "service/web (ClusterIP 80)" in text
    assert "▶ pod/web-" in text
    assert world.run("map", "-o", "svg").out.startswith("<svg")
    assert world.run("map", "-o", "png").code == 1
