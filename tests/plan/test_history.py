from __future__ import annotations

import json

from minikctl.plan import history


def test_a_revision_has_its_fields_in_order() -> None:
    container = {"name": "app", "image": "x", "env": [{"value": "1", "name": "a"}]}
    template = {"spec": {"containers": [container]}, "metadata": {"labels": {"b": "1", "a": "2"}}}
    owner = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "web", "namespace": "default", "uid": "u"},
        "spec": {"template": template},
    }
    data = history.made(owner, 1, 0, "controller-revision-hash")["data"]
    assert json.dumps(data) == json.dumps(data, sort_keys=True)
    assert data["spec"]["template"] == {"$patch": "replace", **template}
