"""Refusals of what drivers say of devices, in the words of Kubernetes' ValidateResourceClaimStatusUpdate."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.model.validation import devicestatus

DEVICE = {"driver": "d.io", "pool": "p", "device": "x"}
SOUND = {"type": "Ready", "status": "True", "reason": "Fine", "lastTransitionTime": "2026-01-01T00:00:00Z"}
FORM = "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)"


def said(**status: Any) -> list[str]:
    found = devicestatus.statuses([{**DEVICE, **status}], [DEVICE], "d")
    return [f"{each['field'].removeprefix('d[0].')}: {each['message']}" for each in found]


def test_a_sound_status() -> None:
    network = {"interfaceName": "e", "hardwareAddress": "aa:bb", "ips": ["10.9.8.0/24", "2001:db8::1/64"]}
    assert said(data={"a": 1}, conditions=[SOUND], networkData=network) == []


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("300.9.8.0/24", FORM),
        ("10.9.8.7", FORM),
        ("10.9.8.7/33", FORM),
        ("010.009.008.000/24", 'must be in canonical form ("10.9.8.0/24")'),
        ("2001:0db8::1/64", 'must be in canonical form ("2001:db8::1/64")'),
    ],
)
def test_addresses_of_interfaces(address: str, fault: str) -> None:
    assert said(networkData={"ips": [address]}) == [
        f'networkData.ips[0]: Invalid value: "{address}": {fault}'
    ]


def test_limits() -> None:
    data = {"interfaceName": "x" * 257, "hardwareAddress": "x" * 129, "ips": ["10.9.8.7/24"] * 2}
    assert said(networkData=data) == [
        "networkData.interfaceName: Too long: may not be more than 256 bytes",
        "networkData.hardwareAddress: Too long: may not be more than 128 bytes",
        'networkData.ips[1]: Duplicate value: "10.9.8.7/24"',
    ]
    addresses = [f"10.9.8.{number}/24" for number in range(17)]
    assert said(networkData={"ips": addresses}) == [
        "networkData.ips: Too many: 17: must have at most 16 items"
    ]
    assert said(data={"text": "x" * 10240}) == ["data: Too long: may not be more than 10240 bytes"]
    assert said(data=[1]) == ['data: Invalid value: "<value omitted>": must be a valid JSON object']
    nine = [{**SOUND, "type": f"t{number}"} for number in range(9)]
    assert said(conditions=nine) == ["conditions: Too many: 9: must have at most 8 items"]
    assert said(pool="")[0] == "pool: Required value"
    assert said(pool="p" * 254)[0] == "pool: Too long: may not be more than 253 bytes"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            {"status": "Maybe"},
            'status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"',
        ),
        (
            {"observedGeneration": -1},
            "observedGeneration: Invalid value: -1: must be greater than or equal to zero",
        ),
        ({"lastTransitionTime": None}, "lastTransitionTime: Required value: must be set"),
        ({"reason": ""}, "reason: Required value: must be set"),
        ({"reason": "x" * 1025}, "reason: Too long: may not be more than 1024 bytes"),
        ({"message": "x" * 32769}, "message: Too long: may not be more than 32768 bytes"),
        ({"type": ""}, 'type: Invalid value: "": name part must be non-empty'),
    ],
)
def test_conditions(change: dict[str, Any], fault: str) -> None:
    assert said(conditions=[{**SOUND, **change}])[0] == f"conditions[0].{fault}"


def test_a_condition_has_a_reason_in_one_word_and_each_type_is_there_once() -> None:
    [fault, twice] = said(conditions=[{**SOUND, "reason": "two words"}, SOUND])
    assert fault.startswith(
        'conditions[0].reason: Invalid value: "two words": a condition reason must start with'
    )
    assert twice == 'conditions[1].type: Duplicate value: "Ready"'
