"""What a kubelet does for single pods, seen from inside their containers: all pods are made at once (pods.yaml)."""

from __future__ import annotations

import base64
import json
import os
import pathlib
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.e2e.conftest import Cluster, docker, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

PODS = pathlib.Path(__file__).with_name("pods.yaml")
HEALTH = r"""
import asyncio, sys
import h2.config, h2.connection, h2.events

async def answer(reader, writer):
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    connection.initiate_connection()
    writer.write(connection.data_to_send())
    while data := await reader.read(65536):
        for event in connection.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                print(dict(event.headers)[b":path"].decode(), flush=True)
            if isinstance(event, h2.events.StreamEnded):
                connection.send_headers(event.stream_id, [(":status", "200"), ("content-type", "application/grpc")])
                connection.send_data(event.stream_id, bytes([0, 0, 0, 0, 2, 8, 1]))
                connection.send_headers(event.stream_id, [("grpc-status", "0")], end_stream=True)
        writer.write(connection.data_to_send())

async def main():
    await (await asyncio.start_server(answer, "0.0.0.0", 9000)).serve_forever()

asyncio.run(main())
"""
"""A server that answers ``grpc.health.v1.Health/Check`` with SERVING."""


@pytest.fixture(scope="module", autouse=True)
def made(cluster: Cluster) -> None:
    cluster.run("apply", "-f", str(PODS))


def status(cluster: Cluster, name: str) -> dict[str, Any]:
    return dict(cluster.json("pod", name)["status"])


def app(cluster: Cluster, name: str) -> dict[str, Any]:
    """Return the status of the pod's first container."""
    return dict((status(cluster, name).get("containerStatuses") or [{}])[0])


def running(cluster: Cluster, name: str) -> None:
    eventually(lambda: "running" in app(cluster, name).get("state", {}), 60)


def told(cluster: Cluster, name: str, reason: str) -> list[str]:
    found = cluster.json("events", f"--field-selector=involvedObject.name={name},reason={reason}")["items"]
    return [event["message"] for event in found]


def condition(cluster: Cluster, name: str, kind: str) -> dict[str, Any]:
    conditions = status(cluster, name).get("conditions") or ()
    return dict(next((each for each in conditions if each["type"] == kind), {}))


def test_a_startup_probe_has_a_grace_period_of_its_own(cluster: Cluster) -> None:
    """Sixty seconds are the pod's; the container takes no notice of SIGTERM, so SIGKILL ends it after one."""
    ended = eventually(lambda: app(cluster, "slow-to-start").get("lastState", {}).get("terminated"), 60)
    assert (ended["exitCode"], ended["reason"]) == (137, "Error")
    assert told(cluster, "slow-to-start", "Unhealthy")[0].startswith("Startup probe failed:")
    assert "Container app failed startup probe, will be restarted" in told(
        cluster, "slow-to-start", "Killing"
    )
    assert not any("Liveness" in each for each in told(cluster, "slow-to-start", "Unhealthy"))


def test_who_takes_more_memory_than_allowed_is_killed_and_it_is_told(cluster: Cluster) -> None:
    eventually(lambda: status(cluster, "hungry")["phase"] == "Failed", 60)
    ended = app(cluster, "hungry")["state"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def test_sysctls_seccomp_and_names_are_as_asked_for(cluster: Cluster) -> None:
    running(cluster, "tuned")
    said = eventually(
        lambda: len(lines := cluster.out("logs", "tuned", "-c", "app").split("\n")) > 4 and lines
    )
    assert said[:4] == ["20000\t20100", "1", "Seccomp:\t2", "box.sub.default.svc.cluster.local"]
    assert eventually(lambda: cluster.out("logs", "tuned", "-c", "free")) == "Seccomp:\t0\n"
    running(cluster, "renamed")
    said = eventually(lambda: len(text := cluster.out("logs", "renamed").splitlines()) == 2 and text)
    assert said == ["db.example.com", f"{status(cluster, 'renamed')['podIP']}\tdb.example.com"]


def test_a_pod_may_share_the_host_s_processes_and_ipc(cluster: Cluster) -> None:
    running(cluster, "of-the-host")
    said = eventually(lambda: len(lines := cluster.out("logs", "of-the-host").split()) == 2 and lines)
    assert said == [os.readlink("/proc/self/ns/ipc"), os.readlink("/proc/self/ns/pid")]


def test_last_words_come_from_a_file_or_the_log(cluster: Cluster) -> None:
    eventually(lambda: status(cluster, "last-words")["phase"] == "Failed", 60)
    found = {
        each["name"]: each["state"]["terminated"]
        for each in status(cluster, "last-words")["containerStatuses"]
    }
    said = {name: (ended["exitCode"], ended.get("message")) for name, ended in found.items()}
    assert said == {"own": (3, "said\n"), "logs": (4, "logged\n"), "good": (0, None)}


def test_volumes_are_made_named_and_owned(cluster: Cluster) -> None:
    running(cluster, "with-volumes")
    asked = "cat /all/logs/with-volumes/out /claim/file && stat -c %g /claim /all && stat -Lc '%g %a' /token/token"
    words = ("exec", "with-volumes", "--", "sh", "-c", asked)
    said = eventually(lambda: (done := cluster.run(*words, code=None)).returncode == 0 and done.stdout)
    assert said.split() == ["x", "y", "4321", "4321", "4321", "640"]
    claim = cluster.json("pvc", "with-volumes-claim")
    assert (claim["status"]["phase"], claim["metadata"]["labels"]) == ("Bound", {"of": "with-volumes"})
    assert claim["metadata"]["ownerReferences"][0]["name"] == "with-volumes"
    token = cluster.out("exec", "with-volumes", "--", "cat", "/token/token")
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert (claims["aud"], claims["exp"] - claims["iat"]) == (["vault"], 600)
    assert claims["kubernetes.io"]["pod"]["name"] == "with-volumes"
    cluster.run("delete", "pod", "with-volumes")
    eventually(lambda: cluster.run("get", "pvc", "with-volumes-claim", code=None).returncode == 1)


def test_volumes_that_cannot_be_had_are_told(cluster: Cluster) -> None:
    found = eventually(lambda: len(messages := told(cluster, "out-of-reach", "FailedMount")) > 2 and messages)
    assert {message.removeprefix("MountVolume.SetUp failed for volume ") for message in found} == {
        '"share" : volume type nfs is not supported here',
        '"driven" : volume type csi is not supported here',
        '"typed" : hostPath type check failed: /etc/passwd is not a directory',
    }


def test_a_pod_s_time_is_up(cluster: Cluster) -> None:
    eventually(lambda: status(cluster, "short-lived").get("reason") == "DeadlineExceeded", 60)
    found = status(cluster, "short-lived")
    assert found["phase"] == "Failed"
    assert found["message"] == "Pod was active on the node longer than the specified deadline"
    # A kubelet tells it first, and ends the containers then.
    eventually(lambda: not cluster.containers("label=minikctl.dev/pod-name=short-lived"))


def test_a_readiness_gate_is_opened_by_somebody_else(cluster: Cluster) -> None:
    eventually(lambda: condition(cluster, "gated", "ContainersReady").get("status") == "True", 60)
    shut = condition(cluster, "gated", "Ready")
    assert (shut["status"], shut["reason"]) == ("False", "ReadinessGatesNotReady")
    opened = {"status": {"conditions": [{"type": "example.com/go", "status": "True"}]}}
    cluster.kubectl("patch", "pod", "gated", "--subresource=status", "-p", json.dumps(opened))
    eventually(lambda: condition(cluster, "gated", "Ready")["status"] == "True")


def test_hooks_run_before_the_signal_and_after_the_start(cluster: Cluster) -> None:
    running(cluster, "hooked")
    eventually(
        lambda: cluster.run("exec", "hooked", "--", "cat", "/tmp/hook", code=None).stdout == "started\n"
    )
    words = f"label=minikctl.dev/cluster={cluster.name}", "label=minikctl.dev/pod-name=hooked"
    (container,) = docker(
        "ps", "-q", "--filter", words[0], "--filter", words[1], "--filter", "label=minikctl.dev/container=app"
    ).split()
    # Followed from before: its log goes with it.
    with subprocess.Popen(["docker", "logs", "-f", container], stdout=subprocess.PIPE, text=True) as follow:
        started = time.monotonic()
        cluster.run("delete", "pod", "hooked", "--wait=false")
        assert follow.communicate(timeout=60)[0] == "term\n"
    assert time.monotonic() - started >= 2.9, "three seconds of sleep come before the signal"
    eventually(lambda: cluster.run("get", "pod", "hooked", code=None).returncode == 1)


def test_a_start_hook_that_fails_ends_its_container(cluster: Cluster) -> None:
    eventually(lambda: app(cluster, "badly-hooked").get("restartCount", 0) > 0, 60)
    assert told(cluster, "badly-hooked", "FailedPostStartHook") == ["PostStartHook failed"]
    assert "FailedPostStartHook" in told(cluster, "badly-hooked", "Killing")


def test_a_grpc_probe_asks_the_health_service(cluster: Cluster) -> None:
    running(cluster, "remote")
    eventually(lambda: told(cluster, "remote", "Unhealthy"))
    assert condition(cluster, "remote", "Ready")["status"] == "False"
    (pause,) = cluster.containers("label=minikctl.dev/pod-name=remote", "label=minikctl.dev/role=pause")
    pid = docker("inspect", "-f", "{{.State.Pid}}", pause)
    argv = ["nsenter", "-t", pid, "-n", sys.executable, "-c", HEALTH]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        try:
            eventually(lambda: condition(cluster, "remote", "Ready")["status"] == "True")
            assert server.stdout is not None
            assert server.stdout.readline() == "/grpc.health.v1.Health/Check\n"
        finally:
            server.kill()
    eventually(lambda: condition(cluster, "remote", "Ready")["status"] == "False")


def test_what_is_not_enforced_is_named(cluster: Cluster) -> None:
    fields = (
        "spec.hostUsers, spec.schedulingGroup, spec.securityContext.seLinuxOptions, "
        "spec.volumes{pages}.emptyDir.medium"
    )
    found = eventually(lambda: told(cluster, "unenforced", "NotEnforced"))
    assert found == [f"Accepted but not enforced on this node: {fields}"]
