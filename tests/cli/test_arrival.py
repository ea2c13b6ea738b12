"""What the program that watches for datagrams sees, and how that is said; between real pods: see e2e."""

from __future__ import annotations

import ast
import json
import socket
import subprocess
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


class Answering:
    """A socket whose packets are answered like that."""

    def __init__(self, answer: bytes | OSError) -> None:
        self.answer = answer

    def send(self, data: bytes) -> None:
        if isinstance(self.answer, OSError):
            raise self.answer

    def recv(self, size: int) -> bytes:
        if isinstance(self.answer, OSError):
            raise self.answer
        return bytes([0x45]) + bytes(19) + self.answer


PORTS = bytes([0, 70, 0xC0, 0])
"""Of an answer to 49152 from port 70."""


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (PORTS + bytes(8) + bytes([arrival.INIT_ACK]), "data"),
        (PORTS + bytes(8) + bytes([6]), "refused"),
        (bytes(12) + bytes([arrival.INIT_ACK]), ""),
        (ConnectionRefusedError(111, "Connection refused"), "refused"),
        (OSError(arrival.NO_STACK, "Protocol not available"), "refused"),
    ],
)
def test_an_association_is_answered_or_refused(answer: bytes | OSError, said: str) -> None:
    sender = object.__new__(arrival.Sctp)
    sender._ports = (49152, 70)
    sender.socket = Answering(answer)  # type: ignore[assignment]
    assert sender.answer() == said
    if isinstance(answer, OSError):
        with pytest.raises(ConnectionRefusedError):
            sender.send()


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
        assert tuple(probing.sighting(probing.told(text))) == wanted


@pytest.mark.parametrize(
    ("group", "shim", "found"),
    [("0::/docker/abc", "", "12"), ("0::/", "abc", "12"), ("0::/", "other", ""), ("0::/", "", "")],
)
def test_a_process_is_found_by_its_control_group_or_by_what_the_engine_keeps_for_its_container(
    group: str, shim: str, found: str, tmp_path: Path
) -> None:
    files = {
        "12/cgroup": group,
        "12/comm": "app\n",
        "7/cgroup": "0::/",
        "7/comm": "containerd-shim\n",
        "7/cmdline": f"containerd-shim\0-id\0{shim}\0",
        "7/task/7/children": "",
        "7/task/9/children": "12 13 ",
        "8/comm": "sh\n",
        "8/cmdline": "sh\0-c\0abc\0",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert arrival.process_of("abc", str(tmp_path)) == found
    script = probing.PLACE_OF.replace("/proc/", f"{tmp_path}/") + "place_of abc"
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.strip().rpartition("/")[2] == found
