"""Helm installs, upgrades, rolls back and removes the chart beside this file, hooks and custom kind included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients import programs
from tests.clients.conftest import Cluster, Outcome

CHART = str(Path(__file__).parent / "chart")
WAIT = ("--wait", "--timeout", "30s")

pytestmark = [
    pytest.mark.skipif(not programs.RUNS_HERE, reason="helm is packaged for Linux on x86-64"),
    pytest.mark.timeout(120),
]


class Helm:
    """One version of helm, in one namespace."""

    def __init__(self, cluster: Cluster, version: str, namespace: str) -> None:
        self._cluster, self._namespace = cluster, namespace
        self._program = programs.HELMS[version]

    def run(self, *words: str) -> Outcome:
        """Run helm to its end."""
        return self._cluster.run(self._program, "-n", self._namespace, *words)

    def __call__(self, *words: str) -> str:
        """Run helm, which must succeed; return its output."""
        return self._cluster.ok(self._program, "-n", self._namespace, *words)

    def json(self, *words: str) -> Any:
        """Return the output of a command as data."""
        return json.loads(self(*words, "-o", "json"))


@pytest.fixture(params=programs.HELMS)
def helm(request: pytest.FixtureRequest, cluster: Cluster, namespace: str) -> Helm:
    programs.ensure("layer-1.36", "layer-1.29")
    return Helm(cluster, request.param, namespace)


def test_the_life_of_a_release(helm: Helm, cluster: Cluster, namespace: str) -> None:
    def get(what: str, path: str) -> str:
        return cluster.kubectl("-n", namespace, "get", what, "-o", f"jsonpath={path}")

    helm("install", "web", CHART, *WAIT)
    assert get("deploy/web-web", "{.status.readyReplicas}") == "2"
    assert get("flavour/web-vanilla", "{.spec.scoops[*].price}") == "1 2"
    assert (
        get("cm/web-settings", "{.data}")
        == '{"has-jobs":"true","kubernetes":"v1.36.2+minikctl","message":"first"}'
    )
    assert get("jobs", "{.items}") == "[]", "the hook is deleted when it has succeeded"
    key = get("secret/web-key", "{.data.key}")
    assert helm.json("list")[0]["status"] == "deployed"

    helm("upgrade", "web", CHART, "--set=message=second,replicas=3", *WAIT)
    assert get("deploy/web-web", "{.status.updatedReplicas}/{.spec.replicas}") == "3/3"
    assert get("flavour/web-vanilla", "{.spec.taste}") == "second"
    assert get("secret/web-key", "{.data.key}") == key, "looked up"
    manifest = helm("get", "manifest", "web")
    assert cluster.kubectl("-n", namespace, "diff", "-f", "-", stdin=manifest) == ""

    helm("rollback", "web", "1", *WAIT)
    assert get("flavour/web-vanilla", "{.spec.taste}") == "first"
    assert get("deploy/web-web", "{.spec.replicas}") == "2"
    assert [each["status"] for each in helm.json("history", "web")] == [
        "superseded",
        "superseded",
        "deployed",
    ]
    assert "Phase:          Succeeded" in helm("test", "web", "--timeout", "30s")

    assert "web-data" in helm("uninstall", "web", *WAIT)
    kept = cluster.kubectl(
        "-n", namespace, "get", "all,cm,secret,pvc,ing,pdb,netpol,flavours", "-o", "name"
    ).split()
    assert kept == ["configmap/kube-root-ca.crt", "persistentvolumeclaim/web-data"]


def test_an_upgrade_that_fails_is_taken_back(helm: Helm, cluster: Cluster, namespace: str) -> None:
    helm("install", "web", CHART, *WAIT)
    failed = helm.run("upgrade", "web", CHART, "--set=command={false}", "--atomic", "--timeout", "4s")
    assert failed.code == 1
    assert "UPGRADE FAILED" in failed.err
    path = "jsonpath={.spec.template.spec.containers[0].command}"
    assert cluster.kubectl("-n", namespace, "get", "deploy/web-web", "-o", path) == ""
    assert helm.json("history", "web")[-1]["description"].startswith("Rollback to 1")


def test_what_somebody_else_owns_is_not_taken(helm: Helm, cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("-n", namespace, "create", "configmap", "web-settings")
    refused = helm.run("install", "web", CHART)
    assert refused.code == 1
    assert "invalid ownership metadata" in refused.err
