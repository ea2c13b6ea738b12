"""Each case of cases/*.yaml: an object, made by merge-patching the file's base, and what is said of it.

``old`` patches the base too and makes the case an update, with ``part`` through that subresource; ``become`` is merged into what ``want`` expects the
object to hold afterwards.  A wanted cause that ends with … matches any cause that begins so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from minikctl.model import admission, decoding, kinds, patches

Case = dict[str, Any]
Object = dict[str, Any]


def load() -> list[Any]:
    found = []
    for path in sorted((Path(__file__).parent / "cases").glob("*.yaml")):
        content = yaml.safe_load(path.read_text())
        for case in content["cases"]:
            case.setdefault("base", content["base"])
            found.append(pytest.param(case, id=f"{path.stem}: {case['name']}"))
    return found


def contains(outcome: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(outcome, dict) and all(
            contains(outcome.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, list) and isinstance(outcome, list):
        return len(wanted) == len(outcome) and all(map(contains, outcome, wanted))
    return bool(outcome == wanted)


@pytest.mark.parametrize("case", load())
def test_case(case: Case) -> None:
    obj = patches.merge(case["base"], case.get("patch", {}))
    obj = patches.json_patch(obj, case.get("ops", []))
    kind = kinds.of(obj)
    assert kind is not None
    old = None
    if "old" in case:
        old = patches.merge(case["base"], case["old"])
        assert admission.prepare(kind, old, None) == []
    assert decoding.decode_errors(kind, obj) is None
    found = admission.prepare(kind, obj, None if "part" in case else old)
    if "part" in case:
        found = kind.parts[case["part"]](obj, old)
    said = [f"{cause['field']}: {cause['message']}" for cause in found]
    wanted = case.get("want", [])
    shown = [
        each if not match.endswith("…") or not each.startswith(match[:-1]) else match
        for each, match in zip(said, wanted, strict=False)
    ]
    assert shown + said[len(wanted) :] == wanted
    assert contains(obj, case.get("become", {})), obj
    if not wanted:
        assert admission.prepare(kind, obj, obj) == []


def test_wrong_types_are_said_alone() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "A"}, "spec": {"containers": "many"}}
    found = admission.prepare(kinds.POD, pod, None)
    assert [cause["reason"] for cause in found] == ["FieldValueTypeInvalid"]


def said_of(obj: Object) -> list[str]:
    kind = kinds.of(obj)
    assert kind is not None
    obj.setdefault("metadata", {}).setdefault("name", "a")
    if kind.namespaced:
        obj["metadata"]["namespace"] = "default"
    return [f"{cause['field']}: {cause['message']}" for cause in admission.prepare(kind, obj, None)]


def test_limits() -> None:
    mebi, name = "x" * 2**20, "x" * 300
    map_of_settings = {"apiVersion": "v1", "kind": "ConfigMap"}
    too_much = "[]: Too long: may not be more than 1048576 bytes"
    assert said_of({**map_of_settings, "data": {"a": mebi}}) == []
    assert said_of({**map_of_settings, "data": {"a": mebi, "b": "x"}}) == [too_much]
    secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"a": mebi + "x"}}
    assert said_of(secret) == [too_much]
    annotated = {**map_of_settings, "metadata": {"annotations": {"a": mebi}}}
    assert said_of(annotated) == ["metadata.annotations: Too long: may not be more than 262144 bytes"]
    controller = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "spec": {"controller": f"a.b/{name}"},
    }
    assert said_of(controller) == ["spec.controller: Too long: may not be more than 250 bytes"]
    endpoints = [{"addresses": ["10.1.2.3"]}] * 1001
    slices = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "addressType": "IPv4",
        "endpoints": endpoints,
    }
    assert said_of(slices) == ["endpoints: Too many: 1001: must have at most 1000 items"]
    one = {**slices, "endpoints": [{"addresses": ["10.1.2.3"] * 101}]}
    assert said_of(one) == ["endpoints[0].addresses: Too many: 101: must have at most 100 items"]


def test_limits_of_words() -> None:
    event = {"apiVersion": "v1", "kind": "Event", "involvedObject": {"kind": "Pod", "namespace": "default"}}
    told = {
        **event,
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "type": "Normal",
        "action": "a",
        "reason": "r" * 129,
    }
    told |= {"reportingComponent": "c.io/c", "reportingInstance": "i"}
    assert said_of(told) == ['reason: Invalid value: "": can have at most 128 characters']
    many = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "a.io/b"}
    assert said_of({**many, "parameters": {f"p{number}": "" for number in range(513)}}) == [
        "parameters: Too long: may not be more than 512 bytes"
    ]
    assert said_of({**many, "parameters": {"p": "x" * (256 << 10)}}) == [
        "parameters: Too long: may not be more than 262144 bytes"
    ]
    node = {"apiVersion": "storage.k8s.io/v1", "kind": "CSINode"}
    (said,) = said_of({**node, "spec": {"drivers": [{"name": "d.io", "nodeID": "n" * 257}]}})
    assert said.endswith("must be 256 characters or less")
    searches = ["a" * 100 + str(number) for number in range(21)]
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "a", "image": "b"}]}}
    pod["spec"]["dnsConfig"] = {"searches": searches}
    assert said_of(pod)[0].endswith(
        "must not have more than 2048 characters (including spaces) in the search list"
    )


def test_unknown_fields_are_left_alone() -> None:
    assert (
        said_of(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "x": [1],
                "spec": {"containers": [{"name": "a", "image": "b"}]},
            }
        )
        == []
    )


def test_policies_of_a_job_have_limits() -> None:
    ignored: Object = {"action": "Ignore", "onPodConditions": [{"type": "Ready"}]}
    many: Object = {"action": "Ignore", "onPodConditions": [{"type": "Ready"}] * 21}
    codes: Object = {"action": "Count", "onExitCodes": {"operator": "In", "values": list(range(1, 257))}}
    success = [{"succeededCount": 1}] * 20 + [{"succeededIndexes": "0," * (32 * 1024) + "1"}]
    job: Object = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"uid": "u"},
        "spec": {
            "completionMode": "Indexed",
            "completions": 2,
            "podFailurePolicy": {"rules": [many, codes, *[ignored] * 19]},
            "successPolicy": {"rules": success},
            "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "i"}]}},
        },
    }
    found = said_of(job)
    assert found[:-1] == [
        "spec.podFailurePolicy.rules: Too many: 21: must have at most 20 items",
        "spec.podFailurePolicy.rules[0].onPodConditions: Too many: 21: must have at most 20 items",
        "spec.podFailurePolicy.rules[1].onExitCodes.values: Too many: 256: must have at most 255 items",
        "spec.successPolicy.rules: Too many: 21: must have at most 20 items",
        "spec.successPolicy.rules[20].succeededIndexes: Too long: may not be more than 65536 bytes",
    ]
    assert found[-1].endswith("error parsing succeededIndexes: non-increasing order, previous: 0, current: 0")
