"""Who is warned of what, and when: at creation, and where something else is asked for."""

from __future__ import annotations

import copy
from typing import Any

from minikctl.apiserver.options import Caller, WriteOptions
from minikctl.apiserver.registry import Registry
from minikctl.model import kinds
from minikctl.model.kind import Kind
from tests.apiserver import samples

OLD = {"beta.kubernetes.io/os": "linux"}
SELECTOR = 'nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead'
DOTS = "which can result in surprising behavior; a DNS label is recommended: [must not contain dots]"
NAMES = f"metadata.name: this is used in Pod names and hostnames, {DOTS}"
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": samples.pod(nodeSelector=OLD)["spec"]}
ONCE = {**TEMPLATE, "spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}
SELECTED = {"selector": {"matchLabels": {"app": "web"}}}


def made(kind: Kind, name: str, spec: Any = None, **more: Any) -> Any:
    head = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}}
    return {**head, **({"spec": spec} if spec else {}), **more}


async def told(registry: Registry, kind: Kind, body: Any) -> list[str]:
    caller = Caller()
    await registry.create(kind, "default" if kind.namespaced else "", body, WriteOptions(caller=caller))
    return list(caller.warnings)


async def test_who_creates_something_is_warned(registry: Registry) -> None:
    pod = samples.pod("web.1", nodeSelector=OLD)
    hostname = f"metadata.name: this is used in the Pod's hostname, {DOTS}"
    assert await told(registry, kinds.POD, pod) == [hostname, f"spec.{SELECTOR}"]
    one = {**SELECTED, "template": TEMPLATE}
    inside = f"spec.template.spec.{SELECTOR}"
    assert await told(registry, kinds.DEPLOYMENT, made(kinds.DEPLOYMENT, "web.1", one)) == [NAMES, inside]
    assert await told(registry, kinds.REPLICA_SET, made(kinds.REPLICA_SET, "web.1", one)) == [NAMES, inside]
    daemon_set, stateful_set = (kinds.by_gvk("apps", "v1", kind) for kind in ("DaemonSet", "StatefulSet"))
    assert daemon_set
    assert stateful_set
    assert await told(registry, daemon_set, made(daemon_set, "web.1", one)) == [inside]
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1500m"}}},
    }
    spec = {**one, "serviceName": "web", "volumeClaimTemplates": [claim]}
    assert await told(registry, stateful_set, made(stateful_set, "web", spec)) == [
        inside,
        'spec.volumeClaimTemplates[0].resources.requests[storage]: fractional byte value "1500m" is invalid, '
        "must be an integer",
    ]
    cron_job, template = kinds.by_gvk("batch", "v1", "CronJob"), kinds.by_gvk("", "v1", "PodTemplate")
    assert cron_job
    assert template
    scheduled = {"schedule": "@daily", "jobTemplate": {"spec": {"template": ONCE}}}
    assert await told(registry, cron_job, made(cron_job, "web", scheduled)) == [
        f"spec.jobTemplate.spec.template.spec.{SELECTOR}"
    ]
    assert await told(registry, template, made(template, "web", template=TEMPLATE)) == [
        f"template.spec.{SELECTOR}"
    ]


async def test_the_older_annotation_of_an_ingress_class_is_told_at_creation(registry: Registry) -> None:
    one = samples.ingress("web")
    one["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "nginx"}
    words = (
        "annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead"
    )
    assert await told(registry, kinds.INGRESS, one) == [words]


async def test_who_changes_nothing_of_what_is_asked_for_is_not_warned_again(registry: Registry) -> None:
    one = made(kinds.DEPLOYMENT, "web.1", {**SELECTED, "template": TEMPLATE})
    assert len(await told(registry, kinds.DEPLOYMENT, one)) == 2
    for change, count in (({"labels": {"a": "b"}}, 0), ({}, 1)):
        caller = Caller()
        stored = copy.deepcopy(registry.get(kinds.DEPLOYMENT, "default", "web.1"))
        stored["metadata"].update(change)
        stored["spec"]["replicas"] = 1 if change else 2
        await registry.update(kinds.DEPLOYMENT, "default", "web.1", stored, WriteOptions(caller=caller))
        assert len(caller.warnings) == count
