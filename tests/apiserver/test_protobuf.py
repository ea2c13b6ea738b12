from __future__ import annotations

import base64
from typing import Any

import pytest

from minikctl.apiserver import protobuf


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    found = bytearray()
    while True:
        found.append(number & 127 | (128 if number > 127 else 0))
        number >>= 7
        if not number:
            return bytes(found)


def field(number: int, value: int | bytes | str) -> bytes:
    """Return one field: a varint for a number, else bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def enveloped(api_version: str, kind: str, message: bytes) -> bytes:
    return protobuf.MAGIC + field(1, field(1, api_version) + field(2, kind)) + field(2, message)


META = field(1, "web") + field(8, b"") + field(11, field(1, "app") + field(2, "web"))


def decode(kind: str, *fields: bytes, api_version: str = "v1") -> Any:
    return protobuf.decode(enveloped(api_version, kind, b"".join((field(1, META), *fields))))


def test_metadata_labels_and_empty_times() -> None:
    assert decode("ConfigMap", field(2, field(1, "a") + field(2, "1"))) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "data": {"a": "1"},
    }


def test_a_pod() -> None:
    port = field(2, 0) + field(3, 80) + field(4, "TCP")
    container = field(1, "app") + field(2, "nginx") + field(6, port) + field(17, 0)
    volume = field(1, "v") + field(2, field(2, field(1, "Memory")))
    spec = field(1, volume) + field(2, container) + field(4, 0) + field(11, 0)
    assert decode("Pod", field(2, spec))["spec"] == {
        "volumes": [{"name": "v", "emptyDir": {"medium": "Memory"}}],
        "containers": [
            {"name": "app", "image": "nginx", "ports": [{"containerPort": 80, "protocol": "TCP"}]}
        ],
        "terminationGracePeriodSeconds": 0,
    }


def test_bytes_quantities_ports_times_and_negative_numbers() -> None:
    secret = decode("Secret", field(2, field(1, "k") + field(2, b"\xff")))
    assert secret["data"] == {"k": base64.b64encode(b"\xff").decode()}
    limits = field(1, field(1, "cpu") + field(2, field(1, "250m")))
    pod = decode("Pod", field(2, field(2, field(1, "a") + field(8, limits))))
    assert pod["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "250m"}}
    ports = [
        field(1, field(3, 80) + field(4, target)) for target in (field(1, 1) + field(3, "http"), field(2, 81))
    ]
    service = decode("Service", field(2, b"".join(ports)))
    assert [port["targetPort"] for port in service["spec"]["ports"]] == ["http", 81]
    lease = decode(
        "Lease", field(2, field(3, field(1, 1) + field(2, 5000))), api_version="coordination.k8s.io/v1"
    )
    assert lease["spec"]["acquireTime"] == "1970-01-01T00:00:01.000005Z"
    assert decode("Event", field(10, field(1, 1)))["eventTime"] == "1970-01-01T00:00:01.000000Z"
    assert decode("Event", field(6, field(1, 1) + field(2, 5000)))["firstTimestamp"] == "1970-01-01T00:00:01Z"
    deployment = decode("Deployment", field(2, field(1, -1)), api_version="apps/v1")
    assert deployment["spec"]["replicas"] == -1


def test_packed_and_repeated_numbers() -> None:
    for groups in (field(4, varint(1) + varint(2)), field(4, 1) + field(4, 2)):
        pod = decode("Pod", field(2, field(14, groups)))
        assert pod["spec"]["securityContext"] == {"supplementalGroups": [1, 2]}


def test_options_are_of_no_group() -> None:
    data = enveloped("apps/v1", "DeleteOptions", field(1, 0) + field(4, "Foreground"))
    assert protobuf.decode(data) == {
        "apiVersion": "apps/v1",
        "kind": "DeleteOptions",
        "gracePeriodSeconds": 0,
        "propagationPolicy": "Foreground",
    }


def test_unknown_fields_are_passed_over() -> None:
    later = field(900, "x") + varint(901 << 3 | 1) + b"12345678" + varint(902 << 3 | 5) + b"1234"
    assert "data" not in decode("ConfigMap", later)


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        protobuf.MAGIC + b"\x0a\xff",
        protobuf.MAGIC + b"\x80",
        enveloped("v1", "Nonsense", b""),
        enveloped("none/v1", "Pod", b""),
        enveloped("v1", "ConfigMap", field(1, 7)),
        enveloped("v1", "ConfigMap", field(1, field(1, b"\xff"))),
        enveloped("v1", "Pod", b"\x0b"),
    ],
)
def test_broken_messages_are_refused(data: bytes) -> None:
    with pytest.raises(protobuf.ProtobufError):
        protobuf.decode(data)
