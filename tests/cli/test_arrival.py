"""What the program that watches for datagrams sees, and how that is said; between real pods: see e2e."""

from __future__ import annotations

import ast
import json
import socket
from pathlib import Path

import pytest

from minikctl.cli import arrival, probing
from minikctl.drivers import netns_program


def test_it_imports_what_the_agents_python_has() -> None:
    tree = ast.parse(Path(arrival.__file__).read_text(encoding="utf-8"))
    plain = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert plain <= set(netns_program.MODULES)


def test_an_association_has_the_checksum_of_its_protocol() -> None:
    assert arrival.checksum(b"123456789") == 0xE3069283
    packet = arrival.association(40000, 80)
    assert packet[:4] == bytes([0x9C, 0x40, 0, 80])
    bare = packet[:8] + bytes(4) + packet[12:]
    assert int.from_bytes(packet[8:12], "little") == arrival.checksum(bare)


@pytest.mark.parametrize(("is_bound", "answer"), [(False, "refused"), (True, "")])
def test_a_port_that_nobody_has_answers_and_one_that_keeps_silent_does_not(
    is_bound: bool, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival, "SECONDS", 0.5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        if not is_bound:
            other.close()
        sender = arrival.Udp("127.0.0.1", port)
        with sender.socket:
            seen = arrival.watch(sender, None)
    assert seen == {"arrived": True if answer else None, "answer": answer}


def test_what_was_seen_is_said() -> None:
    said = {
        '{"arrived": true, "answer": "data"}': ("arrived, and was answered", True),
        '{"arrived": true, "answer": "refused"}': ("arrived, but nothing listens on that port", True),
        '{"arrived": true, "answer": ""}': ("arrived; nothing came back", True),
        '{"arrived": false, "answer": ""}': ("did not arrive", False),
        '{"arrived": null, "answer": ""}': (probing.UNSEEN, None),
        '{"arrived": false, "answer": "", "held": true}': (
            "not sent: the pod's own network lets nothing out to there",
            False,
        ),
        json.dumps({"failed": "No route to host"}): ("not tried: No route to host", None),
        "sh: python3: not found": ("not tried: sh: python3: not found", None),
        "": ("not tried: the agent said nothing", None),
    }
    for text, wanted in said.items():
        assert tuple(probing.sighting(text)) == wanted
