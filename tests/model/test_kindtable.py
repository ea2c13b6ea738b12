from __future__ import annotations

import pytest

from minikctl.model import kinds, names


def test_a_table_answers_as_the_registry_does() -> None:
    table = kinds.BUILT_IN
    assert table.find("apps", "v1", "deployments") is kinds.DEPLOYMENT
    assert table.of({"apiVersion": "v1", "kind": "Pod"}) is kinds.POD
    assert table.groups[""] == ["v1"]
    assert table.groups["networking.k8s.io"] == ["v1", "v1beta1"]
    assert kinds.INGRESS in table.stored
    assert kinds.INGRESS_V1BETA1 not in table.stored
    assert kinds.POD in table.of_version("", "v1")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (
            "foo1 v1alpha2 v2 v11beta2 v1 foo10 v10beta3 v3beta1 v12alpha1 v10 v11alpha2",
            "v10 v2 v1 v11beta2 v10beta3 v3beta1 v12alpha1 v11alpha2 v1alpha2 foo1 foo10",
        )
    ],
)
def test_versions_are_preferred_by_stability_then_by_number(given: str, wanted: str) -> None:
    assert sorted(given.split(), key=names.version_priority) == wanted.split()
