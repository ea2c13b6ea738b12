"""The node agent on a real engine: what a kubelet would do, seen from inside the containers."""

from __future__ import annotations

import asyncio
import io
import json
import random
import tarfile
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from minikctl.cli import removal
from minikctl.client.base import DeleteOptions
from minikctl.drivers import docker, images
from minikctl.drivers.engine import ContainerSpec, ExecOptions, LogOptions
from minikctl.drivers.fake_relay import FakeRelay
from minikctl.model import kinds, objects
from minikctl.node import by_root
from minikctl.node.streams import EngineStreams
from minikctl.plan.pod import names
from minikctl.runtime.clock import SystemClock
from tests.fakes.client import FakeClient
from tests.fakes.ports import free_port
from tests.node.harness import Bench, eventually, node_info

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

IMAGE = "minikctl-infra:latest"
CGROUP = (
    "cd /sys/fs/cgroup; echo $(cat memory.max cpu.max 2>/dev/null || "
    "cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us)"
)
"""Prints the limits that a container sees, by either version of control groups: memory, quota, period."""
SERVE = "mkdir -p /tmp/www; echo ok > /tmp/www/ok; exec httpd -f -p 8080 -h /tmp/www"


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    cluster = f"mkn-{uuid.uuid4().hex[:8]}"
    engine = docker.DockerEngine(cluster)
    labels = {names.CLUSTER: cluster}
    await images.ensure_infra(engine)
    subnet = f"10.198.{random.randrange(32, 250)}.0/24"
    await engine.create_network(f"minikctl-{cluster}", subnet, labels)
    # Like a state directory, which no user of a container has a right to enter.
    tmp_path.chmod(0o700)
    clock = SystemClock()
    made = Bench(
        engine,
        FakeClient(now=clock.now),
        clock,
        node_info(cluster, tmp_path, memory_dir=f"/dev/shm/{cluster}"),
    )
    try:
        yield made
    finally:
        await removal.clear(engine, labels)  # also what a loop that was ended had just begun
        await engine.remove_network(f"minikctl-{cluster}")
        await engine.close()


def pod(name: str, *containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "labels": {"app": name}}
    fields = {
        "nodeName": "node-1",
        "terminationGracePeriodSeconds": 2,
        "containers": list(containers),
        **spec,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": fields,
        "status": {"phase": "Pending"},
    }


def shell(script: str, name: str = "app", **more: Any) -> dict[str, Any]:
    command = ["/bin/sh", "-c", script]
    return {"name": name, "image": IMAGE, "imagePullPolicy": "IfNotPresent", "command": command, **more}


def sleeper(name: str = "app", **more: Any) -> dict[str, Any]:
    return shell("trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done", name, **more)


async def run(bench: Bench, name: str, script: str, container: str = "app") -> str:
    """Return what a script prints in a container of the pod."""
    streams = EngineStreams(bench.engine, bench.node.cluster, FakeRelay())
    session = await streams.exec(bench.pod(name), container, ["/bin/sh", "-c", script], ExecOptions())
    found = b"".join([data async for _, data in session.output()])
    assert await session.exit_code() == 0, found
    await session.close()
    return found.decode().strip()


async def logs(bench: Bench, name: str, *, previous: bool = False, container: str = "app") -> str:
    streams = EngineStreams(bench.engine, bench.node.cluster, FakeRelay())
    stream = streams.logs(bench.pod(name), container, previous, LogOptions())
    return b"".join([chunk async for chunk in stream]).decode().strip()


async def test_a_pod_is_one_machine_to_its_containers(bench: Bench) -> None:
    volumes = [{"name": "shared", "emptyDir": {}}, {"name": "fast", "emptyDir": {"medium": "Memory"}}]
    mounts = [{"name": "shared", "mountPath": "/shared"}, {"name": "fast", "mountPath": "/fast"}]
    init = shell("echo made > /shared/by-init; hostname > /shared/host", "init", volumeMounts=mounts)
    web = shell(
        SERVE,
        volumeMounts=mounts,
        readinessProbe={"httpGet": {"port": "http", "path": "/ok"}, "periodSeconds": 1},
        livenessProbe={"tcpSocket": {"port": 8080}},
        ports=[{"name": "http", "containerPort": 8080}],
    )
    side = sleeper(
        "side", volumeMounts=[{"name": "shared", "mountPath": "/one", "subPath": "deep/er"}, mounts[0]]
    )
    wanted = pod(
        "web",
        web,
        side,
        initContainers=[init],
        volumes=volumes,
        hostAliases=[{"ip": "192.0.2.7", "hostnames": ["far.example"]}],
        shareProcessNamespace=True,
    )
    async with bench.running():
        bench.client.put(wanted)
        await eventually(lambda: bench.ready("web"), 60)
        status = bench.status("web")
        assert await run(bench, "web", "cat /shared/by-init /shared/host", "side") == "made\nweb"
        assert await run(bench, "web", "wget -qO- http://127.0.0.1:8080/ok", "side") == "ok"
        assert await run(bench, "web", "hostname", "side") == "web"
        assert await run(bench, "web", "hostname -i") == status["podIP"]
        assert "192.0.2.7\tfar.example" in await run(bench, "web", "cat /etc/hosts", "side")
        assert "nameserver 10.96.0.10" in await run(bench, "web", "cat /etc/resolv.conf")
        assert "httpd" in await run(bench, "web", "ps", "side")
        await run(bench, "web", "echo x > /one/file", "side")
        assert await run(bench, "web", "cat /shared/deep/er/file") == "x"
        assert await run(bench, "web", "stat -f -c %T /fast") == "tmpfs"
        assert status["initContainerStatuses"][0]["state"]["terminated"]["reason"] == "Completed"
        assert status["containerStatuses"][0]["containerID"].startswith("docker://")


async def test_configuration_reaches_the_container_and_follows_its_source(bench: Bench) -> None:
    config = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "cfg", "namespace": "default"}}
    secret = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "sec", "namespace": "default"}}
    bench.client.put({**config, "data": {"color": "red", "size": "9"}})
    bench.client.put({**secret, "data": {"key": "czNjcjN0"}})
    sources = [
        {"configMap": {"name": "cfg"}},
        {"secret": {"name": "sec", "items": [{"key": "key", "path": "private/key", "mode": 0o400}]}},
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
    ]
    env = [
        {"name": "COLOR", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "color"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "BOTH", "value": "$(COLOR)@$(IP)"},
        {"name": "MEM", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
    ]
    app = sleeper(
        env=env,
        envFrom=[{"secretRef": {"name": "sec"}, "prefix": "S_"}],
        volumeMounts=[{"name": "all", "mountPath": "/all"}],
        resources={"limits": {"memory": "32Mi", "cpu": "250m"}},
    )
    async with bench.running():
        bench.client.put(pod("web", app, volumes=[{"name": "all", "projected": {"sources": sources}}]))
        await eventually(lambda: bench.ready("web"), 60)
        address = bench.status("web")["podIP"]
        said = await run(bench, "web", "echo $BOTH $S_key $MEM; cat /all/color /all/private/key /all/labels")
        assert said == f'red@{address} s3cr3t 32\nreds3cr3tapp="web"'
        assert await run(bench, "web", "stat -Lc %a /all/private/key") == "400"
        assert await run(bench, "web", CGROUP) == "33554432 25000 100000"
        bench.client.put({**config, "data": {"color": "blue"}})
        async with asyncio.timeout(30):
            while await run(bench, "web", "cat /all/color") != "blue":
                await asyncio.sleep(0.05)
        assert await run(bench, "web", "ls /all; touch /all/x 2>&1 || true") == (
            "color\nlabels\nprivate\ntouch: /all/x: Read-only file system"
        )


async def test_rights_are_kept(bench: Bench) -> None:
    context = {"runAsUser": 1234, "runAsGroup": 2345, "fsGroup": 3456, "supplementalGroups": [4567]}
    own = {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    app = sleeper(securityContext=own, volumeMounts=[{"name": "e", "mountPath": "/e"}], workingDir="/e")
    wanted = pod("web", app, securityContext=context, volumes=[{"name": "e", "emptyDir": {}}])
    async with bench.running():
        bench.client.put(wanted)
        await eventually(lambda: bench.ready("web"), 60)
        assert await run(bench, "web", "id -u; id -g; id -G") == "1234\n2345\n2345 3456 4567"
        told = {"uid": 1234, "gid": 2345, "supplementalGroups": [2345, 3456, 4567]}
        assert bench.container("web")["user"] == {"linux": told}
        assert await run(bench, "web", "touch f; stat -c %g f; pwd") == "3456\n/e"
        assert "Read-only file system" in await run(bench, "web", "touch /x 2>&1 || true")
        said = await run(bench, "web", "grep -E 'CapBnd|NoNewPrivs' /proc/1/status")
        assert said.split() == ["NoNewPrivs:", "1", "CapBnd:", "0000000000000000"] or said.split() == [
            "CapBnd:",
            "0000000000000000",
            "NoNewPrivs:",
            "1",
        ]


async def test_groups_of_the_image_are_merged_or_left_out_as_the_policy_says(bench: Bench) -> None:
    files = {
        "Dockerfile": f"FROM {IMAGE}\nCOPY passwd group /etc/\nUSER web\n",
        "passwd": "root:x:0:0::/:/bin/sh\nweb:x:33:34::/:/bin/sh\n",
        "group": "root:x:0:\nweb:x:34:\ndata:x:40:web\nlogs:x:41:web\n",
    }
    image = f"minikctl-test-{bench.node.cluster}:users"
    await bench.engine.build_image(packed(files), image, {})
    cases: dict[str, tuple[dict[str, Any], list[int]]] = {
        "plain": ({}, [34, 40, 41]),
        "merged": ({"runAsGroup": 50, "fsGroup": 60}, [50, 40, 41, 60]),
        "by-number": ({"runAsUser": 33, "runAsGroup": 50}, [50, 40, 41]),
        "strict": ({"supplementalGroupsPolicy": "Strict", "supplementalGroups": [70]}, [34, 70]),
        "other": ({"runAsUser": 1234}, [0]),
    }
    try:
        async with bench.running():
            for name, (context, _) in cases.items():
                bench.client.put(pod(name, sleeper(image=image), securityContext=context))
            await eventually(lambda: all(map(bench.ready, cases)), 60)
            for name, (context, groups) in cases.items():
                uid = context.get("runAsUser", 33)
                said = (await run(bench, name, "id -u; id -g; id -G")).split()
                assert said[:2] == [str(uid), str(groups[0])], name
                assert {*said[2:]} == {*map(str, groups)}, name
                told = {"uid": uid, "gid": groups[0], "supplementalGroups": groups}
                assert bench.container(name)["user"] == {"linux": told}, name
            assert bench.events.texts("NotEnforced") == []
    finally:
        await removal.clear(bench.engine, {names.CLUSTER: bench.node.cluster})
        await bench.engine.remove_image(image)


def packed(files: dict[str, str]) -> bytes:
    """Return a tar of text files."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as found:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            found.addfile(entry, io.BytesIO(text.encode()))
    return sink.getvalue()


async def test_root_is_refused_where_it_must_not_be(bench: Bench) -> None:
    async with bench.running():
        bench.client.put(pod("web", sleeper(), securityContext={"runAsNonRoot": True}))
        await eventually(lambda: bench.waiting("web") == "CreateContainerConfigError", 60)
        message = bench.container("web")["state"]["waiting"]["message"]
        assert message.startswith("container has runAsNonRoot and image will run as root")


async def test_a_crash_is_told_kept_and_answered(bench: Bench) -> None:
    app = shell("echo attempt; echo last words > /dev/termination-log; exit 3")
    async with bench.running():
        bench.client.put(pod("web", app))
        await eventually(lambda: bench.waiting("web") == "CrashLoopBackOff", 60)
        status = bench.container("web")
        assert status["restartCount"] == 1
        ended = status["lastState"]["terminated"]
        assert (ended["exitCode"], ended["reason"], ended["message"]) == (3, "Error", "last words\n")
        assert await logs(bench, "web") == "attempt"
        assert await logs(bench, "web", previous=True) == "attempt"
        await eventually(lambda: bench.container("web")["restartCount"] == 2, 60)


async def test_running_out_of_memory_is_told(bench: Bench) -> None:
    hungry = shell("head -c 100m /dev/zero | tail", resources={"limits": {"memory": "16Mi"}})
    async with bench.running():
        bench.client.put(pod("web", hungry, restartPolicy="Never"))
        await eventually(lambda: bench.phase("web") in ("Failed", "Succeeded"), 60)
        ended = bench.container("web")["state"]["terminated"]
        # Where the kernel kills only the child, the engine tells so or the exit code does.
        assert ended["reason"] in ("OOMKilled", "Error")
        assert ended["exitCode"] != 0


async def test_what_cannot_start_says_why(bench: Bench) -> None:
    broken = {**sleeper(), "command": ["/no/such/program"]}
    async with bench.running():
        bench.client.put(pod("web", broken, restartPolicy="Never"))
        await eventually(lambda: bench.phase("web") == "Failed", 60)
        ended = bench.container("web")["state"]["terminated"]
        assert ended["reason"] == "StartError"
        assert "/no/such/program" in ended["message"]
        await eventually(lambda: bench.network.detached, 60)


async def test_an_image_that_nobody_has_is_told(bench: Bench) -> None:
    async with bench.running():
        bench.client.put(pod("web", sleeper(image="registry.invalid/none:1")))
        await eventually(lambda: bench.waiting("web") in ("ErrImagePull", "ImagePullBackOff"), 60)
        assert bench.phase("web") == "Pending"
        assert 'Pulling image "registry.invalid/none:1"' in bench.events.texts("Pulling")


async def test_an_image_of_this_machine_needs_no_registry(bench: Bench) -> None:
    async with bench.running():
        bench.client.put(pod("web", sleeper(imagePullPolicy="Always")))
        await eventually(lambda: bench.ready("web"), 60)
        assert bench.events.texts("PullFailed")


async def test_unhealthy_containers_are_restarted_and_unready_ones_are_not(bench: Bench) -> None:
    probe = {"exec": {"command": ["test", "!", "-e", "/tmp/sick"]}, "periodSeconds": 1, "failureThreshold": 1}
    probe["timeoutSeconds"] = 10  # a busy engine takes more than the usual second to begin a command
    async with bench.running():
        bench.client.put(pod("live", sleeper(livenessProbe=probe)))
        bench.client.put(pod("ready", sleeper(readinessProbe=probe)))
        await eventually(lambda: bench.ready("live") and bench.ready("ready"), 60)
        # The command is over before the container is, which ends all of its commands.
        await run(bench, "live", "(sleep 1; touch /tmp/sick) > /dev/null 2>&1 &")
        await run(bench, "ready", "touch /tmp/sick")
        await eventually(lambda: not bench.ready("ready"), 60)
        await eventually(lambda: bench.container("live")["restartCount"] == 1 and bench.ready("live"), 60)
        assert bench.container("ready")["restartCount"] == 0
        await run(bench, "ready", "rm /tmp/sick")
        await eventually(lambda: bench.ready("ready"), 60)


async def test_a_dead_sandbox_is_made_anew(bench: Bench) -> None:
    async with bench.running():
        bench.client.put(pod("web", shell(SERVE, readinessProbe={"httpGet": {"port": 8080, "path": "/ok"}})))
        await eventually(lambda: bench.ready("web"), 60)
        (pause,) = await bench.containers(names.PAUSE_ROLE)
        await bench.engine.kill(pause.id)
        await eventually(lambda: bench.container("web")["restartCount"] == 1 and bench.ready("web"), 60)
        assert await run(bench, "web", "wget -qO- http://127.0.0.1:8080/ok") == "ok"
        assert await run(bench, "web", "hostname -i") == bench.status("web")["podIP"]


async def test_a_new_control_plane_takes_over_without_a_restart(bench: Bench) -> None:
    async with bench.running():
        bench.client.put(pod("web", sleeper()))
        bench.client.put(pod("gone", sleeper()))
        await eventually(lambda: bench.ready("web") and bench.ready("gone"), 60)
    before = {c.id: c.started_at for c in await bench.containers() if c.labels[names.POD_NAME] == "web"}
    stray = Path(bench.node.pods_dir, objects.uid(bench.pod("gone")))
    bench.client.remove(kinds.POD, "default", "gone")
    async with bench.running():
        await eventually(lambda: len(bench.network.attached) == 3, 60)
        await asyncio.sleep(1)
        await eventually(lambda: not stray.exists(), 60)
        assert {c.id: c.started_at for c in await bench.containers()} == before
        assert bench.ready("web")


async def test_deletion_gives_time_and_then_takes_everything(bench: Bench, tmp_path: Path) -> None:
    hook = {"preStop": {"exec": {"command": ["/bin/sh", "-c", "echo hook >> /out/log"]}}}
    script = "trap 'echo term >> /out/log; exit 0' TERM; while :; do sleep 1 & wait $!; done"
    app = shell(script, lifecycle=hook, volumeMounts=[{"name": "out", "mountPath": "/out"}])
    out = tmp_path / "out"
    stubborn = shell("while :; do sleep 100; done")
    async with bench.running():
        volumes = [{"name": "out", "hostPath": {"path": str(out), "type": "DirectoryOrCreate"}}]
        bench.client.put(pod("web", app, volumes=volumes))
        bench.client.put(pod("stubborn", stubborn))
        await eventually(lambda: bench.ready("web") and bench.ready("stubborn"), 60)
        await bench.client.delete(kinds.POD, "web", "default", DeleteOptions(grace_seconds=20))
        await bench.client.delete(kinds.POD, "stubborn", "default", DeleteOptions(grace_seconds=1))
        await eventually(lambda: not bench.client.all(kinds.POD), 60)
        assert (out / "log").read_text() == "hook\nterm\n"
        assert await bench.containers() == []
        assert not Path(bench.node.pods_dir).exists()


async def test_host_ports_are_published_and_told_when_taken(bench: Bench) -> None:
    port = free_port()
    ports = [{"containerPort": 8080, "hostPort": port}]
    async with bench.running():
        bench.client.put(pod("web", shell(SERVE, ports=ports, readinessProbe={"tcpSocket": {"port": 8080}})))
        await eventually(lambda: bench.ready("web"), 60)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /ok HTTP/1.0\r\n\r\n")
        assert (await reader.read()).endswith(b"ok\n")
        writer.close()
        bench.client.put(pod("late", sleeper(ports=ports)))
        await eventually(lambda: "FailedCreatePodSandBox" in bench.events.reasons, 60)
        assert str(port) in bench.events.texts("FailedCreatePodSandBox")[0]


async def test_privileged_runs_or_is_refused_in_plain_words(bench: Bench) -> None:
    async with bench.running():
        bench.client.put(pod("web", sleeper(securityContext={"privileged": True})))
        await eventually(lambda: bench.ready("web") or "Failed" in bench.events.reasons, 60)
        if not bench.ready("web"):
            assert "refuses privileged containers" in bench.events.texts("Failed")[0]


async def test_a_pod_on_the_host_s_network(bench: Bench) -> None:
    async with bench.running():
        bench.client.put(pod("web", sleeper(), hostNetwork=True))
        await eventually(lambda: bench.ready("web"), 60)
        assert bench.status("web")["podIP"] == bench.node.host_ip
        assert bench.network.attached[0].host_network


async def test_files_that_belong_to_root_in_a_volume_are_removed_with_it(bench: Bench) -> None:
    app = sleeper(volumeMounts=[{"name": "e", "mountPath": "/e"}])
    async with bench.running():
        bench.client.put(pod("web", app, volumes=[{"name": "e", "emptyDir": {}}]))
        await eventually(lambda: bench.ready("web"), 60)
        await run(bench, "web", "mkdir -p /e/a/b; echo x > /e/a/b/c; chmod 0 /e/a")
        await bench.client.delete(kinds.POD, "web", "default")
        await eventually(lambda: not bench.client.all(kinds.POD), 60)
        assert not Path(bench.node.pods_dir).exists()


async def test_a_container_removes_what_this_process_may_not(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "pods" / "uid-1" / "deep").mkdir(parents=True)
    path = str(tmp_path / "pods" / "uid-1")
    await by_root.ByRoot(bench.engine, bench.node.cluster, bench.node.infra_image, bench.clock).remove(path)
    assert list((tmp_path / "pods").iterdir()) == []
    assert await bench.containers() == []


async def test_containers_are_labelled_and_named_for_their_pod(bench: Bench) -> None:
    await bench.engine.create(
        ContainerSpec(f"{bench.node.cluster}-other", IMAGE, {names.CLUSTER: bench.node.cluster})
    )
    async with bench.running():
        bench.client.put(pod("web", sleeper()))
        await eventually(lambda: bench.ready("web"), 60)
        uid = objects.uid(bench.pod("web"))
        (app,) = await bench.containers(names.APP_ROLE)
        assert app.name == f"mk_{bench.node.cluster}_default_web_app_{uid[:8]}_0"
        assert app.labels[names.POD_NAME] == "web"
        assert json.dumps(dict(app.labels))
        assert len(await bench.containers()) == 3
