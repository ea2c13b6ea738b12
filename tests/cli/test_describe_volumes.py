"""``describe`` of volumes of clouds and other storage systems: they can be made, and look as kubectl shows them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from tests.cli.conftest import World
from tests.cli.test_parity import normal

MANIFEST = Path(__file__).parent / "clouds.yaml"
ONLY_PODS = {"gitRepo"}
"""What no PersistentVolume can be."""
DEPRECATED = re.compile(r"(Warning: spec\.\S+: deprecated in v1\.\d+(, non-functional in v1\.\d+\+)?\n)+")
"""All that the API says of such volumes."""


def volume(found: dict[str, Any]) -> dict[str, Any]:
    """Return a PersistentVolume of the same source as a pod's volume, its Secret's namespace given."""
    kind, source = next((key, each) for key, each in found.items() if key != "name")
    if "secretRef" in source:
        source["secretRef"]["namespace"] = "kube-system"
    if kind == "azureFile":
        source["secretNamespace"] = "kube-system"
    if found["name"] == "gluster":
        source["endpointsNamespace"] = "kube-public"
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"of-{found['name']}", "labels": {"is": "cloudy"}},
        "spec": {kind: source, "capacity": {"storage": "1Gi"}, "accessModes": ["ReadOnlyMany"]},
    }


def test_pods_volumes_of_every_type_look_as_kubectl_shows_them(world: World) -> None:
    text = MANIFEST.read_text()
    assert DEPRECATED.fullmatch(world.run("apply", "-f", "-", stdin=text).err)
    try:
        words = ("describe", "pod", "clouds", "--show-events=false")
        assert world.run("wait", "pod/clouds", "--for=condition=PodScheduled=false").code == 0
        ours, theirs = (each(*words) for each in (world.run, world.kubectl))
        assert (normal(ours.out), ours.err, ours.code) == (normal(theirs.out), theirs.err, theirs.code)
        assert "<unknown>" not in ours.out
    finally:
        world.run("delete", "pod", "clouds", "--now")


def test_persistent_volumes_of_every_type_look_as_kubectl_shows_them(world: World) -> None:
    pod = yaml.safe_load(MANIFEST.read_text())
    made = [volume(each) for each in pod["spec"]["volumes"] if not ONLY_PODS & set(each)]
    listed = {"apiVersion": "v1", "kind": "List", "items": made}
    assert DEPRECATED.fullmatch(world.run("apply", "-f", "-", stdin=json.dumps(listed)).err)
    try:
        available = world.run("wait", "pv", "-l", "is=cloudy", "--for=jsonpath={.status.phase}=Available")
        assert available.code == 0, available.err
        ours, theirs = (each("describe", "pv", "-l", "is=cloudy") for each in (world.run, world.kubectl))
        assert (normal(ours.out), ours.err, ours.code) == (normal(theirs.out), theirs.err, theirs.code)
    finally:
        world.run("delete", "pv", "-l", "is=cloudy", "--wait=false")
