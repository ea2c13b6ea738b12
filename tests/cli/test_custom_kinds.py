"""Custom kinds as users meet them: minikctl, stock kubectl, the official Python client, a kopf operator."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import kubernetes
import pytest
from kubernetes import dynamic

from tests.cli.conftest import World
from tests.waiting import eventually

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %(plural)s.kinds.example.com}
spec:
  group: kinds.example.com
  scope: Namespaced
  names: {plural: %(plural)s, kind: %(kind)s, shortNames: [%(short)s]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    additionalPrinterColumns:
    - {name: Size, type: integer, jsonPath: .spec.size}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            x-kubernetes-validations:
            - {rule: self.size < 10, message: size must stay below 10}
            properties:
              size: {type: integer, default: 1, description: How many there are.}
              names: {type: array, items: {type: string}}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
"""
OBJECT = """
apiVersion: kinds.example.com/v1
kind: %(kind)s
metadata: {name: mine}
spec: {size: 3}
"""


def names(kind: str) -> dict[str, str]:
    return {"kind": kind, "plural": f"{kind.lower()}s", "short": kind[:3].lower()}


@pytest.fixture
def defined(world: World) -> Iterator[Callable[[str], None]]:
    """Return what defines a kind; all of them are gone in the end."""
    made: list[str] = []

    def define(kind: str) -> None:
        made.append(names(kind)["plural"])
        done = world.kubectl("apply", "-f", "-", stdin=CRD % names(kind))
        assert done.code == 0, done.err
        established = (
            "wait",
            "--for=condition=Established",
            f"crd/{made[-1]}.kinds.example.com",
            "--timeout=10s",
        )
        assert world.kubectl(*established).code == 0

    yield define
    for plural in made:
        world.kubectl("delete", "crd", f"{plural}.kinds.example.com", "--ignore-not-found")


def test_a_kind_and_its_objects_are_applied_in_one_go(world: World, tmp_path: Path) -> None:
    (tmp_path / "a-object.yaml").write_text(OBJECT % names("Apple"))
    (tmp_path / "b-kind.yaml").write_text(CRD % names("Apple"))
    done = world.run("apply", "-f", str(tmp_path))
    assert done.out.splitlines() == [
        "customresourcedefinition.apiextensions.k8s.io/apples.kinds.example.com created",
        "apple.kinds.example.com/mine created",
    ], done.err
    assert world.run("get", "app").out.splitlines()[0] == "NAME   SIZE"
    assert world.run("apply", "-f", str(tmp_path)).out.splitlines() == [
        "customresourcedefinition.apiextensions.k8s.io/apples.kinds.example.com unchanged",
        "apple.kinds.example.com/mine unchanged",
    ]
    assert "Size:  3" in world.run("describe", "apple", "mine").out
    gone = world.run("delete", "-f", str(tmp_path))
    assert gone.code == 0, gone.err
    assert world.run("get", "apples").code == 1


def test_a_column_whose_field_is_absent_is_blank(world: World, defined: Callable[[str], None]) -> None:
    defined("Damson")
    bare = OBJECT.replace("spec: {size: 3}", "status: {}") % names("Damson")
    assert world.kubectl("apply", "-f", "-", stdin=bare).code == 0
    found = world.run("get", "damsons")
    assert found.out == world.kubectl("get", "damsons").out
    assert "nil" not in found.out


def test_stock_kubectl(world: World, defined: Callable[[str], None]) -> None:
    defined("Banana")
    assert (
        world.kubectl("apply", "-f", "-", stdin=OBJECT % names("Banana")).out
        == "banana.kinds.example.com/mine created\n"
    )
    changed = (OBJECT % names("Banana")).replace("3", "4")
    assert (
        world.kubectl("apply", "-f", "-", stdin=changed).out == "banana.kinds.example.com/mine configured\n"
    )
    assert world.kubectl("get", "ban").out.splitlines() == ["NAME   SIZE", "mine   4"]
    explained = world.kubectl("explain", "banana.spec").out
    assert "How many there are." in explained
    refused = world.kubectl("patch", "banana", "mine", "--type=merge", "-p", '{"spec":{"size":12}}')
    assert refused.err == 'The Banana "mine" is invalid: spec: Invalid value: size must stay below 10\n'
    strategic = world.kubectl("patch", "banana", "mine", "--type=strategic", "-p", '{"spec":{"size":2}}')
    assert strategic.code == 1
    odd = (OBJECT % names("Banana")).replace("size", "sice")
    assert (
        'strict decoding error: unknown field "spec.sice"' in world.kubectl("apply", "-f", "-", stdin=odd).err
    )
    edited = world.kubectl("annotate", "banana", "mine", "a=b")
    assert edited.out == "banana.kinds.example.com/mine annotated\n"


def test_the_python_client(world: World, defined: Callable[[str], None]) -> None:
    defined("Cherry")
    with kubernetes.config.new_client_from_config(str(world.kubeconfig)) as client:
        cherries = dynamic.DynamicClient(client).resources.get(
            api_version="kinds.example.com/v1", kind="Cherry"
        )
        body = {"apiVersion": "kinds.example.com/v1", "kind": "Cherry", "metadata": {"name": "x"}, "spec": {}}
        assert cherries.create(body=body, namespace="default").spec.size == 1
        patch = {"spec": {"size": 5}}
        patched = cherries.patch(
            body=patch, name="x", namespace="default", content_type="application/merge-patch+json"
        )
        assert patched.spec.size == 5
        seen = [each["object"].metadata.name for each in cherries.watch(namespace="default", timeout=1)]
        assert seen == ["x"]
        custom = kubernetes.client.CustomObjectsApi(client)
        listed = custom.list_namespaced_custom_object("kinds.example.com", "v1", "default", "cherrys")
        assert [each["metadata"]["name"] for each in listed["items"]] == ["x"]
        status = {"status": {"phase": "Ripe"}}
        custom.patch_namespaced_custom_object_status(
            "kinds.example.com", "v1", "default", "cherrys", "x", status
        )
        assert cherries.get(name="x", namespace="default").status.phase == "Ripe"


OPERATOR = """
import kopf
import kubernetes

@kopf.on.startup()
def configure(settings, **_):
    settings.persistence.finalizer = "kinds.example.com/kopf"
    settings.posting.enabled = False

@kopf.on.create("kinds.example.com", "v1", "dates")
@kopf.on.update("kinds.example.com", "v1", "dates")
def changed(spec, name, namespace, patch, **_):
    patch.status["seen"] = spec["size"]
    return {"size": spec["size"]}

@kopf.on.delete("kinds.example.com", "v1", "dates")
def deleted(name, **_):
    print("deleted", name)
"""


def test_a_kopf_operator(world: World, defined: Callable[[str], None], tmp_path: Path) -> None:
    defined("Date")
    (tmp_path / "operator.py").write_text(textwrap.dedent(OPERATOR))
    with (tmp_path / "log").open("w") as log:
        operator = subprocess.Popen(
            [sys.executable, "-m", "kopf", "run", "--namespace=default", str(tmp_path / "operator.py")],
            env={"KUBECONFIG": str(world.kubeconfig), "HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        assert world.kubectl("apply", "-f", "-", stdin=OBJECT % names("Date")).code == 0
        seen = ("get", "date", "mine", "-o", "jsonpath={.status.seen} {.metadata.finalizers}")
        eventually(lambda: world.kubectl(*seen).out == '3 ["kinds.example.com/kopf"]')
        world.kubectl("patch", "date", "mine", "--type=merge", "-p", '{"spec":{"size":7}}')
        eventually(lambda: world.kubectl(*seen).out.startswith("7 "))
        assert world.kubectl("delete", "date", "mine", "--timeout=20s").code == 0
        eventually(lambda: "deleted mine" in (tmp_path / "log").read_text())
    finally:
        operator.terminate()
        operator.wait(20)
