"""What plugins are told, and how their answers are read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from minikctl.model.containers import PortBinding
from minikctl.plan.cni import conflist, protocol

TARGET = protocol.Target("c1", "/proc/7/ns/net", "shop", "web-0", "u1")
NETWORK = conflist.parse(
    '{"cniVersion": "1.0.0", "name": "net", "plugins": [{"type": "a", "capabilities": {"ipRanges": true}}, {"type": "b"}]}',
    "x",
)


def test_parameters_name_the_pod() -> None:
    found = protocol.environment("ADD", TARGET)
    assert found["CNI_COMMAND"] == "ADD"
    assert found["CNI_NETNS"] == "/proc/7/ns/net"
    assert found["CNI_IFNAME"] == "eth0"
    assert "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=c1" in found["CNI_ARGS"]


def test_a_plugin_gets_only_its_capabilities_and_the_result_so_far() -> None:
    runtime = {"ipRanges": [[{"subnet": "10.0.0.0/24"}]], "bandwidth": {"ingressRate": 1}}
    first = json.loads(protocol.stdin(NETWORK, 0, runtime, None))
    assert first == {
        "type": "a",
        "cniVersion": "1.0.0",
        "name": "net",
        "runtimeConfig": {"ipRanges": [[{"subnet": "10.0.0.0/24"}]]},
    }
    second = json.loads(protocol.stdin(NETWORK, 1, runtime, {"ips": []}, {"more": 1}))
    assert second == {"type": "b", "cniVersion": "1.0.0", "name": "net", "prevResult": {"ips": []}, "more": 1}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (protocol.Answer(1, '{"code": 7, "msg": "bad", "details": "very"}'), "bad; very"),
        (protocol.Answer(1, '{"code": 7, "msg": "bad"}'), "bad"),
        (protocol.Answer(2, "", "panic: x"), 'netplugin failed: "panic: x"'),
        (protocol.Answer(2, "words"), 'netplugin failed: "words"'),
        (protocol.Answer(2, ""), "netplugin failed with no error message: exit status 2"),
        (protocol.Answer(0, "words"), "its answer is not JSON: words"),
        (protocol.Answer(1, '{"code": "seven", "msg": "bad"}'), "bad"),
        (
            protocol.Answer(0, '{"ips": ["10.0.0.2"]}'),
            "its answer is no result: ips is no list of objects: …",
        ),
        (protocol.Answer(0, '{"ips": {}, "interfaces": {"a": 1}}'), "its answer is no result: interfaces…"),
        (protocol.Answer(0, '{"ips": [{"interface": "0"}]}'), "its answer is no result: ips.interface is…"),
        (protocol.Answer(0, '{"supportedVersions": [1]}'), "its answer is no result: supportedVersions is…"),
    ],
)
def test_a_refusal_is_worded_as_libcni_does(answer: protocol.Answer, words: str) -> None:
    with pytest.raises(protocol.PluginError) as caught:
        protocol.result(answer, "bridge", "ADD")
    said, wanted = str(caught.value), f'plugin type="bridge" failed (add): {words}'
    assert said.startswith(wanted[:-1]) if wanted.endswith("…") else said == wanted


def test_results() -> None:
    assert protocol.result(protocol.Answer(0, "\n"), "a", "DEL") == {}
    assert protocol.result(protocol.Answer(0, '{"ips": []}'), "a", "ADD") == {"ips": []}


@pytest.mark.parametrize(
    ("ips", "address"),
    [
        ([{"interface": 1, "address": "10.0.0.2/24"}], "10.0.0.2"),
        (
            [{"interface": 0, "address": "10.0.0.1/24"}, {"interface": 1, "address": "10.0.0.2/24"}],
            "10.0.0.2",
        ),
        ([{"interface": 1, "address": "fd00::2/64"}, {"interface": 1, "address": "10.0.0.2/24"}], "10.0.0.2"),
        ([{"address": "10.0.0.3/32"}], "10.0.0.3"),
        ([{"interface": 9, "address": "10.0.0.3/32"}], ""),
        ([{"interface": 2, "address": "10.0.0.3/32"}], ""),
        ([], ""),
    ],
)
def test_the_address_is_that_of_the_interface_inside(ips: list[dict[str, Any]], address: str) -> None:
    interfaces = [{"name": "cni0"}, {"name": "eth0", "sandbox": "/n"}, {"name": "eth1", "sandbox": "/n"}]
    assert protocol.address({"interfaces": interfaces, "ips": ips}) == address


def test_what_is_known_is_told_by_capabilities() -> None:
    ports = (PortBinding(80, "tcp", "", 8080), PortBinding(53, "udp", "10.0.0.1", 53))
    assert protocol.runtime("10.0.0.0/24", ports, 1000, 0) == {
        "ipRanges": [[{"subnet": "10.0.0.0/24"}]],
        "portMappings": [
            {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"},
            {"hostPort": 53, "containerPort": 53, "protocol": "udp", "hostIP": "10.0.0.1"},
        ],
        "bandwidth": {"ingressRate": 1000, "ingressBurst": protocol.BURST},
    }
    assert protocol.runtime("10.0.0.0/24", (), 0, 0) == {"ipRanges": [[{"subnet": "10.0.0.0/24"}]]}


def test_versions() -> None:
    assert protocol.supported({"supportedVersions": ["0.4.0", "1.0.0"]}, "1.0.0")
    assert not protocol.supported({}, "1.0.0")
