"""Pods on a simulated engine: what comes of them in the API, the engine and on disk."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from minikctl import errors
from minikctl.client.base import DeleteOptions
from minikctl.drivers.engine import ContainerSpec
from minikctl.model import kinds, objects
from minikctl.model.actions.node import ExecCheck, Sleep
from minikctl.node import by_root, executor, lost_files, record
from minikctl.plan.pod import names
from minikctl.plan.pod.view import Failure
from tests.node.harness import Bench, container, pod

FOREVER = ("sh", "-c", "trap 'exit 0' TERM; sleep infinity")


def put(bench: Bench, wanted: dict[str, Any]) -> dict[str, Any]:
    return bench.client.put(wanted)


async def test_a_pod_comes_up_and_says_so(bench: Bench) -> None:
    async with bench.running():
        put(bench, pod("web"))
        await bench.until(lambda: bench.ready("web"))
        status = bench.status("web")
        assert status["phase"] == "Running"
        assert status["podIP"].startswith("10.201.0.")
        assert bench.events.reasons == ["Pulled", "Created", "Started"]
        assert bench.events.texts("Pulled") == ['Container image "demo:1" already present on machine']
        (pause,) = await bench.containers(names.PAUSE_ROLE)
        (app,) = await bench.containers(names.APP_ROLE)
        assert [sandbox.container_id for sandbox in bench.network.attached] == [pause.id]
        assert bench.network.attached[0].ip == status["podIP"]
        assert bench.engine.spec(app.id).network == f"container:{pause.id}"
        hosts = Path(bench.node.pods_dir, objects.uid(bench.pod("web")), "hosts").read_text()
        assert f"{status['podIP']}\tweb\n" in hosts


async def test_nothing_starts_before_the_network_is_ready(bench: Bench) -> None:
    bench.network.failures = [errors.DriverError("nft said no")] * 2
    async with bench.running():
        put(bench, pod("web"))
        await bench.until(lambda: len(bench.network.failures) == 1)
        assert {each.status for each in await bench.containers(names.APP_ROLE)} <= {"created"}
        await bench.until(lambda: bench.ready("web"))
    words = "Failed to set up the network of the pod's sandbox: nft said no"
    assert bench.events.texts("FailedCreatePodSandBox") == [words] * 2


async def test_a_crash_is_followed_by_restarts_with_growing_delays(bench: Bench) -> None:
    async with bench.running():
        put(bench, pod("web", container("app", "false")))
        await bench.until(lambda: bench.waiting("web") == "CrashLoopBackOff")
        assert bench.container("web")["restartCount"] == 1
        assert bench.container("web")["lastState"]["terminated"]["exitCode"] == 1
        await bench.clock.advance(8)
        assert bench.container("web")["restartCount"] == 1
        await bench.until(lambda: bench.container("web")["restartCount"] == 2)
        await bench.clock.advance(18)
        assert bench.container("web")["restartCount"] == 2
        await bench.until(lambda: bench.container("web")["restartCount"] == 3)
        assert len(await bench.containers(names.APP_ROLE)) == 2
        uid = objects.uid(bench.pod("web"))
        words = f"Back-off restarting failed container app in pod web_default({uid})"
        assert set(bench.events.texts("BackOff")) == {words}


async def test_a_start_that_fails_is_an_end(bench: Bench) -> None:
    async with bench.running():
        put(bench, pod("web", container("app", "/no-such"), restartPolicy="Never"))
        await bench.until(lambda: bench.phase("web") == "Failed")
        ended = bench.container("web")["state"]["terminated"]
        assert (ended["reason"], ended["exitCode"]) == ("StartError", 128)
        assert "executable file not found" in ended["message"]
        assert "Failed" in bench.events.reasons


async def test_a_pod_that_is_done_has_succeeded(bench: Bench) -> None:
    async with bench.running():
        put(bench, pod("job", container("app", "true"), restartPolicy="Never"))
        await bench.until(lambda: bench.phase("job") == "Succeeded")
        await bench.until(lambda: bench.network.detached)
        assert await bench.containers(names.PAUSE_ROLE) == []
        assert len(await bench.containers(names.APP_ROLE)) == 1


async def test_a_pod_that_names_its_node_is_refused_if_it_does_not_fit(bench: Bench) -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}}
    small = container(resources={"requests": {"memory": "600Mi"}})
    async with bench.running():
        put(bench, {**node, "status": {"allocatable": {"memory": "1Gi", "pods": "9"}}})
        put(bench, pod("one", small))
        await bench.until(lambda: bench.ready("one"))
        put(bench, pod("two", small))
        await bench.until(lambda: bench.phase("two") == "Failed")
        assert bench.status("two")["reason"] == "OutOfmemory"
        assert "conditions" not in bench.status("two")
        await bench.client.delete(kinds.POD, "one", "default", DeleteOptions(grace_seconds=0))
        put(bench, pod("three", small))
        await bench.until(lambda: bench.ready("three"))


async def test_larger_requests_wait_until_their_neighbours_leave_room(bench: Bench) -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}}

    def asking(name: str, memory: str) -> dict[str, Any]:
        return pod(name, container(resources={"requests": {"memory": memory}}))

    async with bench.running():
        put(bench, {**node, "status": {"allocatable": {"memory": "1Gi", "pods": "9"}}})
        for name in ("one", "two"):
            put(bench, asking(name, "400Mi"))
        await bench.until(lambda: bench.ready("one") and bench.ready("two"))
        grown = asking("one", "800Mi")
        put(bench, {**bench.pod("one"), "spec": {**bench.pod("one")["spec"], **grown["spec"]}})
        await bench.until(lambda: bench.events.texts("ResizeDeferred"))
        await bench.until(lambda: objects.condition(bench.pod("one"), "PodResizePending"))
        assert bench.container("one")["allocatedResources"] == {"memory": "400Mi"}
        assert bench.container("one")["resources"] == {"requests": {"memory": "400Mi"}}
        await bench.client.delete(kinds.POD, "two", "default", DeleteOptions(grace_seconds=0))
        await bench.until(lambda: bench.events.texts("ResizeCompleted"))
        assert bench.container("one")["resources"] == {"requests": {"memory": "800Mi"}}
        assert objects.condition(bench.pod("one"), "PodResizePending") is None


def test_changes_that_failed_are_forgotten_with_their_container() -> None:
    found = record.of_pod(pod("web", container()))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    failure = Failure("Error", "busy", 1, now, now)
    found.failures = {("resize", "a", "1-0-2"): failure, ("resize", "b", "1-0-2"): failure}
    found.drop_container("a")
    assert list(found.failures) == [("resize", "b", "1-0-2")]


async def test_a_deleted_pod_leaves_nothing(bench: Bench) -> None:
    async with bench.running():
        made = put(bench, pod("web", container("app", *FOREVER)))
        await bench.until(lambda: bench.ready("web"))
        directory = Path(bench.node.pods_dir, objects.uid(made))
        assert directory.is_dir()
        await bench.client.delete(kinds.POD, "web", "default")
        await bench.until(lambda: bench.phase("web") == "")
        assert await bench.containers() == []
        assert not directory.exists()
        assert bench.events.texts("Killing") == ["Stopping container app"]


async def test_a_deleted_pod_serves_until_nobody_is_led_to_it(bench: Bench) -> None:
    async with bench.running():
        put(bench, pod("web", container("app", *FOREVER)))
        await bench.until(lambda: bench.ready("web"))
        (app,) = await bench.containers(names.APP_ROLE)
        bench.network.withdrawn.clear()
        await bench.client.delete(kinds.POD, "web", "default")
        await bench.clock.advance(executor.WITHDRAWAL_SECONDS / 2)
        assert bench.engine._boxes[app.id].status == "running"
        bench.network.withdrawn.set()
        await bench.until(lambda: bench.phase("web") == "")


async def test_a_deleted_pod_does_not_wait_for_long_for_those_who_are_led_to_it(bench: Bench) -> None:
    async with bench.running():
        put(bench, pod("web", container("app", *FOREVER)))
        await bench.until(lambda: bench.ready("web"))
        bench.network.withdrawn.clear()
        began = bench.clock.monotonic()
        await bench.client.delete(kinds.POD, "web", "default", DeleteOptions(grace_seconds=6))
        await bench.until(lambda: bench.phase("web") == "")
        assert 1.5 <= bench.clock.monotonic() - began < 4


async def test_a_pod_that_ignores_the_stop_signal_is_killed_when_its_time_is_over(bench: Bench) -> None:
    async with bench.running():
        put(bench, pod("web", container("app", "sleep", "infinity"), terminationGracePeriodSeconds=5))
        await bench.until(lambda: bench.ready("web"))
        await bench.client.delete(kinds.POD, "web", "default", DeleteOptions(grace_seconds=5))
        begun = bench.clock.monotonic()
        await bench.until(lambda: bench.phase("web") == "")
        assert bench.clock.monotonic() - begun < 7


async def test_containers_of_a_pod_that_vanished_are_taken_away(bench: Bench) -> None:
    async with bench.running():
        put(bench, pod("web"))
        await bench.until(lambda: bench.ready("web"))
        bench.client.remove(kinds.POD, "default", "web")
        await bench.until(lambda: len(bench.network.detached) == 1)
        await bench.until(lambda: not os.path.exists(bench.node.pods_dir))
        assert await bench.containers() == []


async def test_a_new_pod_of_the_same_name_is_another_pod(bench: Bench) -> None:
    async with bench.running():
        put(bench, pod("web"))
        await bench.until(lambda: bench.ready("web"))
        (old,) = await bench.containers(names.APP_ROLE)
        bench.client.remove(kinds.POD, "default", "web")
        put(bench, pod("web"))
        await bench.until(lambda: bench.ready("web"))
        await bench.until(lambda: len(bench.network.detached) == 1)
        (new,) = await bench.containers(names.APP_ROLE)
        assert new.id != old.id


async def test_a_new_control_plane_takes_over_what_runs(bench: Bench) -> None:
    async with bench.running():
        put(bench, pod("web", container(readinessProbe={"tcpSocket": {"port": 1}})))
        await bench.until(lambda: bench.ready("web"))
    before = {found.id: found.started_at for found in await bench.containers()}
    stored, told = bench.status("web"), len(bench.events.all)
    async with bench.running():
        await bench.until(lambda: len(bench.network.attached) == 2)
        for _ in range(30):
            await bench.clock.advance(0.1)
            assert bench.ready("web")
        assert {found.id: found.started_at for found in await bench.containers()} == before
        assert bench.status("web") == stored
        assert len(bench.events.all) == told


async def test_what_ended_or_vanished_meanwhile_is_noticed_by_the_next_control_plane(bench: Bench) -> None:
    async with bench.running():
        put(bench, pod("web"))
        put(bench, pod("gone"))
        await bench.until(lambda: bench.ready("web") and bench.ready("gone"))
    app = next(c for c in await bench.containers(names.APP_ROLE) if c.labels[names.POD_NAME] == "web")
    bench.engine.finish(app.id, 3)
    bench.client.remove(kinds.POD, "default", "gone")
    stray = Path(bench.node.pods_dir, "stray")
    stray.mkdir()
    async with bench.running():
        await bench.until(lambda: bench.container("web").get("restartCount") == 1)
        assert bench.container("web")["lastState"]["terminated"]["exitCode"] == 3
        await bench.until(lambda: not stray.exists())
        left = {c.labels[names.POD_NAME] for c in await bench.containers()}
        assert left == {"web"}


async def test_containers_of_other_clusters_are_left_alone(bench: Bench) -> None:
    labels = {names.CLUSTER: "other", names.ROLE: "app", names.POD_UID: "x", names.CONTAINER: "app"}
    other = await bench.engine.create(ContainerSpec("other", "demo:1", labels))
    await bench.engine.start(other)
    own = await bench.engine.create(
        ContainerSpec("own", "demo:1", {names.CLUSTER: "test", names.ROLE: "publisher"})
    )
    await bench.engine.start(own)
    async with bench.running():
        await bench.clock.advance(5)
        assert {(await bench.engine.inspect(each)).status for each in (other, own)} == {"running"}


async def test_an_engine_that_goes_away_is_waited_for(bench: Bench) -> None:
    async with bench.running() as agent:
        assert agent.problem
        put(bench, pod("web"))
        await bench.until(lambda: bench.ready("web"))
        assert agent.problem == ""
        bench.engine.available = False
        await bench.until(lambda: agent.problem)
        put(bench, pod("late"))
        await bench.clock.advance(30)
        assert bench.ready("web")
        assert bench.phase("late") == "Pending"
        bench.engine.available = True
        await bench.until(lambda: bench.ready("late"))
        assert agent.problem == ""
        assert bench.container("web")["restartCount"] == 0
    assert "Failed" not in bench.events.reasons


async def test_a_dead_sandbox_is_made_anew_with_all_its_containers(bench: Bench) -> None:
    async with bench.running():
        put(bench, pod("web"))
        await bench.until(lambda: bench.ready("web"))
        (pause,) = await bench.containers(names.PAUSE_ROLE)
        bench.engine.finish(pause.id, 137)
        await bench.until(lambda: bench.ready("web") and bench.container("web")["restartCount"] == 1)
        (fresh,) = await bench.containers(names.PAUSE_ROLE)
        assert fresh.id != pause.id
        assert bench.events.texts("SandboxChanged") == [
            "Pod sandbox changed, it will be killed and re-created."
        ]
        assert [sandbox.container_id for sandbox in bench.network.attached] == [pause.id, fresh.id]


async def test_a_sandbox_that_is_taken_off_its_network_is_made_anew_at_once(bench: Bench) -> None:
    async with bench.running():
        put(bench, pod("web"))
        await bench.until(lambda: bench.ready("web"))
        (pause,) = await bench.containers(names.PAUSE_ROLE)
        begun = bench.clock.monotonic()
        bench.engine.disconnect(pause.id)
        await bench.until(lambda: bench.container("web")["restartCount"] == 1 and bench.ready("web"))
        assert bench.clock.monotonic() - begun < 5
        (fresh,) = await bench.containers(names.PAUSE_ROLE)
        assert fresh.id != pause.id


async def test_a_sandbox_that_is_back_on_its_network_gets_its_rules_again(bench: Bench) -> None:
    async with bench.running():
        put(bench, pod("web"))
        await bench.until(lambda: bench.ready("web"))
        (pause,) = await bench.containers(names.PAUSE_ROLE)
        bench.engine.disconnect(pause.id)
        bench.engine._boxes[pause.id].ip = "10.201.0.77"
        await bench.until(lambda: len(bench.network.attached) == 2)
        assert bench.network.attached[1].ip == "10.201.0.77"
        await bench.until(lambda: bench.status("web").get("podIP") == "10.201.0.77")
        assert bench.container("web")["restartCount"] == 0


async def test_each_time_that_a_container_is_paused_is_told(bench: Bench) -> None:
    async with bench.running():
        put(bench, pod("web"))
        await bench.until(lambda: bench.ready("web"))
        (app,) = await bench.containers(names.APP_ROLE)
        box = bench.engine._boxes[app.id]
        for times in (1, 2):
            box.status = "paused"
            bench.engine._tell("pause", box)
            await bench.until(lambda: not bench.ready("web"))
            box.status = "running"
            bench.engine._tell("unpause", box)
            await bench.until(lambda: bench.ready("web"))
            assert [len(bench.events.texts(reason)) for reason in ("Paused", "Resumed")] == [times, times]
        assert bench.container("web")["restartCount"] == 0


async def test_containers_that_somebody_removed_come_back(bench: Bench) -> None:
    async with bench.running():
        put(bench, pod("web"))
        await bench.until(lambda: bench.ready("web"))
        (app,) = await bench.containers(names.APP_ROLE)
        await bench.engine.remove(app.id)
        await bench.until(lambda: bench.container("web")["restartCount"] == 1 and bench.ready("web"))


async def test_a_taken_host_port_is_told_and_tried_again(bench: Bench) -> None:
    async with bench.running():
        ports = [{"containerPort": 80, "hostPort": 8080}]
        put(bench, pod("first", container(ports=ports)))
        await bench.until(lambda: bench.ready("first"))
        put(bench, pod("second", container(ports=ports)))
        await bench.until(lambda: "FailedCreatePodSandBox" in bench.events.reasons)
        assert "8080" in bench.events.texts("FailedCreatePodSandBox")[0]
        assert bench.waiting("second") == "ContainerCreating"
        bench.client.remove(kinds.POD, "default", "first")
        await bench.until(lambda: bench.ready("second"), advance=0.5)


async def test_where_sctp_cannot_be_published_the_pod_runs_without_that_host_port(bench: Bench) -> None:
    words = "Error starting userland proxy: protocol not supported"
    bench.engine.fail("start", errors.NoSctp(words, words))
    sctp = {"containerPort": 38, "hostPort": 3868, "protocol": "SCTP"}
    async with bench.running():
        put(bench, pod("web", container(ports=[{"containerPort": 80, "hostPort": 8080}, sctp])))
        await bench.until(lambda: bench.ready("web"))
        put(bench, pod("other", container(ports=[{"containerPort": 80, "hostPort": 8081}, sctp])))
        await bench.until(lambda: bench.ready("other"))
        pauses = await bench.containers(names.PAUSE_ROLE)
        assert sorted(port.host_port for pause in pauses for port in pause.ports) == [8080, 8081]
    said = "hostPort 3868/SCTP is not published: the kernel of the engine's machine has no SCTP sockets; "
    assert bench.events.texts("NotEnforced") == [f"{said}pods reach it at the pod's address"] * 2
    assert bench.events.texts("FailedCreatePodSandBox") == []


# --- images ------------------------------------------------------------------------------------------------


async def test_an_image_that_nobody_has_is_tried_again_and_again(bench: Bench) -> None:
    async with bench.running():
        put(bench, pod("web", container(image="missing/x:1")))
        await bench.until(lambda: bench.waiting("web") == "ErrImagePull")
        await bench.until(lambda: bench.waiting("web") == "ImagePullBackOff")
        assert bench.phase("web") == "Pending"
        told = bench.events.texts()
        assert 'Pulling image "missing/x:1"' in told
        assert any(text.startswith('Failed to pull image "missing/x:1": pull access denied') for text in told)
        assert "Error: ErrImagePull" in told
        assert 'Back-off pulling image "missing/x:1"' in told
        pulls = len(bench.events.texts("Pulling"))
        await bench.clock.advance(12)
        assert len(bench.events.texts("Pulling")) == pulls + 1


async def test_an_image_is_pulled_once_for_many(bench: Bench) -> None:
    async with bench.running():
        for number in range(3):
            put(bench, pod(f"web-{number}", container(image="remote/x:1")))
        await bench.until(lambda: all(bench.ready(f"web-{number}") for number in range(3)))
        pulled = [text for text in bench.events.texts("Pulled") if text.startswith("Successfully pulled")]
        assert len(pulled) == 3
        assert pulled[0].startswith('Successfully pulled image "remote/x:1" in ')


async def test_never_means_never(bench: Bench) -> None:
    async with bench.running():
        put(bench, pod("web", container(image="remote/x:1", imagePullPolicy="Never")))
        await bench.until(lambda: bench.waiting("web") == "ErrImageNeverPull")
        await bench.engine.pull("remote/x:1")
        await bench.until(lambda: bench.ready("web"), advance=0.5)


async def test_always_falls_back_to_the_image_that_is_there(bench: Bench) -> None:
    image = (await bench.engine.image("demo:1")) or None
    assert image is not None
    bench.engine.images.add(dataclasses.replace(image, tags=("missing/own:1",)))
    async with bench.running():
        put(bench, pod("a", container(image="missing/own:1", imagePullPolicy="Always")))
        await bench.until(lambda: bench.ready("a"))
        put(bench, pod("b", container(image="missing/own:1", imagePullPolicy="Always")))
        await bench.until(lambda: bench.ready("b"))
    told = (
        'Failed to pull image "missing/own:1", using the one that is present on machine: pull access denied'
    )
    assert bench.events.texts("PullFailed")[0].startswith(told)
    assert bench.events.texts("PullSkipped")[0].startswith(told)


# --- configuration -----------------------------------------------------------------------------------------


def config(**data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "cfg", "namespace": "default"},
        "data": data,
    }


async def test_a_pod_waits_for_its_config_map(bench: Bench) -> None:
    async with bench.running():
        put(bench, pod("web", container(envFrom=[{"configMapRef": {"name": "cfg"}}])))
        await bench.until(lambda: bench.waiting("web") == "CreateContainerConfigError")
        assert bench.container("web")["state"]["waiting"]["message"] == 'configmap "cfg" not found'
        put(bench, config(a="1"))
        await bench.until(lambda: bench.ready("web"))
        (app,) = await bench.containers(names.APP_ROLE)
        assert dict(bench.engine.spec(app.id).env)["a"] == "1"


async def test_mounted_config_follows_its_source(bench: Bench) -> None:
    volumes = [{"name": "c", "configMap": {"name": "cfg"}}]
    async with bench.running():
        put(bench, config(a="1", b="2"))
        made = put(
            bench, pod("web", container(volumeMounts=[{"name": "c", "mountPath": "/c"}]), volumes=volumes)
        )
        await bench.until(lambda: bench.ready("web"))
        directory = Path(bench.node.pods_dir, objects.uid(made), "volumes", "c")
        assert (directory / "a").read_text() == "1"
        put(bench, config(a="3"))
        await bench.until(lambda: (directory / "a").read_text() == "3")
        assert not (directory / "b").exists()
        assert bench.container("web")["restartCount"] == 0


async def test_a_volume_that_fails_is_told_and_tried_again(bench: Bench, tmp_path: Path) -> None:
    wanted = tmp_path / "wanted"
    volumes = [{"name": "h", "hostPath": {"path": str(wanted), "type": "File"}}]
    async with bench.running():
        put(bench, pod("web", volumes=volumes))
        await bench.until(lambda: "FailedMount" in bench.events.reasons)
        words = (
            f'MountVolume.SetUp failed for volume "h" : hostPath type check failed: {wanted} is not a file'
        )
        assert bench.events.texts("FailedMount")[0] == words
        wanted.write_text("x")
        await bench.until(lambda: bench.ready("web"))


# --- probes and hooks --------------------------------------------------------------------------------------


async def test_readiness_reaches_the_status_at_once(bench: Bench) -> None:
    check = {"exec": {"command": ["check"]}}
    async with bench.running():
        put(bench, pod("web", container(readinessProbe={**check, "periodSeconds": 1, "failureThreshold": 1})))
        await bench.until(lambda: bench.ready("web"))
        bench.prober.failing.append(ExecCheck(("check",)))
        await bench.until(lambda: "Unhealthy" in bench.events.reasons, advance=0.01)
        await bench.until(lambda: not bench.ready("web"), advance=0.01)
        assert bench.events.texts("Unhealthy")[0] == "Readiness probe failed: it is broken"
        assert bench.container("web")["restartCount"] == 0
        bench.prober.failing.clear()
        await bench.until(lambda: bench.ready("web"))


async def test_a_failed_liveness_probe_restarts_the_container(bench: Bench) -> None:
    check = {"exec": {"command": ["check"]}, "periodSeconds": 1, "failureThreshold": 2}
    async with bench.running():
        put(bench, pod("web", container("app", *FOREVER, livenessProbe=check)))
        await bench.until(lambda: bench.ready("web"))
        bench.prober.failing.append(ExecCheck(("check",)))
        await bench.until(lambda: bench.container("web")["restartCount"] == 1)
        assert bench.events.texts("Killing") == ["Container app failed liveness probe, will be restarted"]
        assert bench.events.texts("Unhealthy")[:2] == ["Liveness probe failed: it is broken"] * 2


async def test_other_probes_wait_for_the_startup_probe(bench: Bench) -> None:
    start = {"exec": {"command": ["start"]}, "periodSeconds": 1, "failureThreshold": 30}
    bench.prober.failing.append(ExecCheck(("start",)))
    async with bench.running():
        put(bench, pod("web", container(startupProbe=start, readinessProbe={"exec": {"command": ["check"]}})))
        await bench.until(lambda: len(bench.prober.asked) > 3)
        assert set(bench.prober.asked) == {ExecCheck(("start",))}
        assert bench.container("web")["started"] is False
        bench.prober.failing.clear()
        await bench.until(lambda: bench.ready("web"))


async def test_a_failed_start_hook_ends_the_container(bench: Bench) -> None:
    lifecycle = {"postStart": {"exec": {"command": ["hook"]}}}
    bench.prober.failing.append(ExecCheck(("hook",)))
    async with bench.running():
        put(bench, pod("web", container("app", *FOREVER, lifecycle=lifecycle)))
        await bench.until(lambda: bench.waiting("web") == "CrashLoopBackOff")
        assert bench.events.texts("FailedPostStartHook")[0] == "PostStartHook failed"
        assert "FailedPostStartHook" in bench.events.texts("Killing")


async def test_a_container_whose_start_hook_failed_runs_its_stop_hook(bench: Bench) -> None:
    hooks = {"postStart": {"exec": {"command": ["start"]}}, "preStop": {"exec": {"command": ["stop"]}}}
    bench.prober.failing.append(ExecCheck(("start",)))
    async with bench.running():
        put(bench, pod("web", container("app", *FOREVER, lifecycle=hooks)))
        await bench.until(lambda: bench.waiting("web") == "CrashLoopBackOff")
        assert bench.prober.hooks[:2] == [ExecCheck(("start",)), ExecCheck(("stop",))]


async def test_a_start_hook_does_not_hold_up_the_end_of_its_pod(bench: Bench) -> None:
    hooks = {"postStart": {"sleep": {"seconds": 3000}}}
    async with bench.running():
        put(bench, pod("web", container("app", *FOREVER, lifecycle=hooks)))
        await bench.until(lambda: "Started" in bench.events.reasons)
        assert bench.container("web")["state"] == {"waiting": {"reason": "ContainerCreating"}}
        await bench.client.delete(kinds.POD, "web", "default", DeleteOptions(grace_seconds=5))
        begun = bench.clock.monotonic()
        await bench.until(lambda: bench.phase("web") == "")
        assert bench.clock.monotonic() - begun < 5


async def test_the_stop_hook_runs_first_and_uses_up_the_grace_period(bench: Bench) -> None:
    lifecycle = {"preStop": {"sleep": {"seconds": 20}}}
    async with bench.running():
        put(bench, pod("web", container("app", "sleep", "infinity", lifecycle=lifecycle)))
        await bench.until(lambda: bench.ready("web"))
        await bench.client.delete(kinds.POD, "web", "default", DeleteOptions(grace_seconds=5))
        begun = bench.clock.monotonic()
        await bench.until(lambda: bench.phase("web") == "")
        assert bench.prober.hooks == [Sleep(20)]
        assert bench.clock.monotonic() - begun < 9


async def test_a_failed_stop_hook_is_told(bench: Bench) -> None:
    lifecycle = {"preStop": {"exec": {"command": ["hook"]}}}
    bench.prober.failing.append(ExecCheck(("hook",)))
    async with bench.running():
        put(bench, pod("web", container("app", *FOREVER, lifecycle=lifecycle)))
        await bench.until(lambda: bench.ready("web"))
        await bench.client.delete(kinds.POD, "web", "default", DeleteOptions(grace_seconds=5))
        await bench.until(lambda: bench.phase("web") == "")
        assert bench.events.texts("FailedPreStopHook") == ["PreStopHook failed"]


async def test_a_sidecar_s_stop_hook_runs_while_the_app_still_does(bench: Bench) -> None:
    side = container(
        "side", *FOREVER, restartPolicy="Always", lifecycle={"preStop": {"sleep": {"seconds": 3}}}
    )
    slow = container("app", *FOREVER, lifecycle={"preStop": {"sleep": {"seconds": 4}}})
    async with bench.running():
        put(bench, pod("web", slow, initContainers=[side]))
        await bench.until(lambda: bench.ready("web"))
        await bench.client.delete(kinds.POD, "web", "default", DeleteOptions(grace_seconds=30))
        begun = bench.clock.monotonic()
        await bench.until(lambda: bench.phase("web") == "")
        assert bench.clock.monotonic() - begun < 6
        assert sorted(bench.events.texts("Killing")) == ["Stopping container app", "Stopping container side"]


async def test_a_second_deletion_may_shorten_the_first(bench: Bench) -> None:
    async with bench.running():
        put(bench, pod("web", container("app", "sleep", "infinity")))
        await bench.until(lambda: bench.ready("web"))
        await bench.client.delete(kinds.POD, "web", "default", DeleteOptions(grace_seconds=100))
        await bench.clock.advance(1)
        marked = bench.pod("web")
        put(bench, {**marked, "metadata": {**marked["metadata"], "deletionGracePeriodSeconds": 2}})
        begun = bench.clock.monotonic()
        await bench.until(lambda: bench.phase("web") == "")
        assert bench.clock.monotonic() - begun < 5


# --- init containers and messages --------------------------------------------------------------------------


async def test_init_containers_and_sidecars_come_first(bench: Bench) -> None:
    init = [container("side", *FOREVER, restartPolicy="Always"), container("one", "true")]
    async with bench.running():
        put(bench, pod("web", initContainers=init))
        await bench.until(lambda: bench.ready("web"))
        order = [event.field_path for event in bench.events.all if event.reason == "Started"]
        assert order == ["spec.initContainers{side}", "spec.initContainers{one}", "spec.containers{app}"]
        assert bench.container("web", "one")["state"]["terminated"]["reason"] == "Completed"
        assert bench.container("web", "side")["ready"] is True
        await bench.client.delete(kinds.POD, "web", "default")
        await bench.until(lambda: bench.phase("web") == "")
        assert bench.events.texts("Killing") == ["Stopping container app", "Stopping container side"]


async def test_the_last_words_of_a_container_are_kept(bench: Bench) -> None:
    speaks = container("app", "sh", "-c", "sleep 5; exit 3")
    quiet = container(
        "quiet", "sh", "-c", "echo from the log; exit 4", terminationMessagePolicy="FallbackToLogsOnError"
    )
    async with bench.running():
        made = put(bench, pod("job", speaks, quiet, restartPolicy="Never"))
        await bench.until(lambda: bench.container("job").get("state", {}).get("running"))
        log = Path(bench.node.pods_dir, objects.uid(made), "containers", "app", "0.log")
        log.write_text("from the file")
        await bench.until(lambda: bench.phase("job") == "Failed")
        assert bench.container("job")["state"]["terminated"]["message"] == "from the file"
        assert bench.container("job", "quiet")["state"]["terminated"]["message"] == "from the log\n"


# --- statuses ----------------------------------------------------------------------------------------------


async def test_a_start_costs_few_writes(bench: Bench) -> None:
    async with bench.running():
        put(bench, pod("web"))
        await bench.until(lambda: bench.ready("web"))
        await bench.clock.advance(300)
        writes = [call for call in bench.client.calls if call[0] == "patch status"]
        assert len(writes) <= 3


async def test_a_status_from_an_outdated_pod_is_made_anew(bench: Bench) -> None:
    async with bench.running():
        put(bench, pod("web", readinessGates=[{"conditionType": "a.io/x"}]))
        await bench.until(lambda: bench.phase("web") == "Running")
        current = bench.pod("web")
        # Somebody else writes between our reading and our writing, and again.
        for value in ("False", "True"):
            conditions = [c for c in current["status"]["conditions"] if c["type"] != "a.io/x"]
            conditions.append({"type": "a.io/x", "status": value})
            current = put(bench, {**current, "status": {**current["status"], "conditions": conditions}})
        await bench.until(lambda: bench.ready("web"))


async def test_a_refused_status_is_made_anew(bench: Bench) -> None:
    conflicts = [errors.conflict("pods", "", "web", "the object has been modified")] * 3

    def failing(verb: str, *_: str) -> Exception | None:
        return conflicts.pop() if verb == "patch status" and conflicts else None

    bench.client.failures.append(failing)
    async with bench.running():
        put(bench, pod("web"))
        await bench.until(lambda: bench.ready("web"))
        assert not conflicts


async def test_a_server_that_fails_is_asked_again(bench: Bench) -> None:
    failures = [errors.StatusError(500, "InternalError", "disk full")] * 2

    def failing(verb: str, *_: str) -> Exception | None:
        return failures.pop() if verb == "patch status" and failures else None

    bench.client.failures.append(failing)
    async with bench.running():
        put(bench, pod("web"))
        await bench.until(lambda: bench.ready("web"))
        assert not failures


async def test_a_deletion_that_fails_again_and_again_is_tried_less_and_less_often(bench: Bench) -> None:
    tries, full = 0, True

    def failing(verb: str, *_: str) -> Exception | None:
        nonlocal tries
        if verb != "delete" or not full:
            return None
        tries += 1
        return errors.StoreError("the disk is full")

    async with bench.running():
        put(bench, pod("web"))
        await bench.until(lambda: bench.ready("web"))
        await bench.client.delete(kinds.POD, "web", "default")
        bench.client.failures.append(failing)
        await bench.until(lambda: tries)
        for _ in range(60):
            await bench.clock.advance(1)
            await asyncio.sleep(0.002)
        assert 1 < tries < 10
        full = False
        await bench.until(lambda: bench.phase("web") == "", advance=5)


async def test_a_deletion_that_fails_is_tried_again(bench: Bench) -> None:
    failures: list[Exception] = []

    def failing(verb: str, *_: str) -> Exception | None:
        return failures.pop() if verb == "delete" and failures else None

    bench.client.failures.append(failing)
    async with bench.running():
        put(bench, pod("web"))
        await bench.until(lambda: bench.ready("web"))
        await bench.client.delete(kinds.POD, "web", "default")
        failures.append(errors.StatusError(500, "InternalError", "disk full"))
        await bench.until(lambda: bench.phase("web") == "")


@pytest.mark.parametrize("method", ["create", "inspect", "remove", "image"])
async def test_every_call_of_the_engine_may_fail_once(bench: Bench, method: str) -> None:
    async with bench.running():
        await bench.clock.advance(3)
        bench.engine.fail(method, errors.DriverError(f"no {method} today"))
        put(bench, pod("web"))
        await bench.until(lambda: bench.ready("web"), advance=0.5)
        bench.engine.fail(method, errors.EngineUnavailable("not here"))
        await bench.client.delete(kinds.POD, "web", "default")
        await bench.until(lambda: bench.phase("web") == "", advance=0.5)
        assert await bench.containers() == []


async def test_files_that_somebody_deleted_are_written_anew_and_it_is_said_once(bench: Bench) -> None:
    volumes = [{"name": "work", "emptyDir": {}}]
    mounts = [{"name": "work", "mountPath": "/work"}]
    async with bench.running():
        made = put(bench, pod("web", container(volumeMounts=mounts), volumes=volumes))
        put(bench, pod("other"))
        await bench.until(lambda: bench.ready("web") and bench.ready("other"))
        directory = Path(bench.node.pods_dir, objects.uid(made))
        shutil.rmtree(directory)
        await bench.until(lambda: bench.events.texts("VolumesLost"), advance=2)
        await bench.until(lambda: any(directory.rglob("work")))
        await bench.clock.advance(200)
        shutil.rmtree(directory)
        await bench.until(lambda: any(directory.rglob("work")), advance=2)
        assert bench.events.texts("VolumesLost") == [lost_files.MESSAGE]
        assert bench.container("web")["restartCount"] == 0
        app = next(c for c in await bench.containers(names.APP_ROLE) if c.labels[names.POD_NAME] == "web")
        bench.engine.finish(app.id, 1)
        await bench.until(lambda: bench.container("web")["restartCount"] == 1 and bench.ready("web"))
        shutil.rmtree(directory)
        await bench.until(lambda: len(bench.events.texts("VolumesLost")) == 2, advance=2)


async def test_a_sandbox_that_cannot_be_removed_is_told_and_tried_again(bench: Bench) -> None:
    async with bench.running():
        put(bench, pod("web"))
        await bench.until(lambda: bench.ready("web"))
        bench.engine.fail("remove", *(errors.DriverError("failed to destroy network") for _ in range(2)))
        await bench.client.delete(kinds.POD, "web", "default")
        await bench.until(lambda: "FailedKillPod" in bench.events.reasons, advance=0.5)
        await bench.until(lambda: bench.phase("web") == "", advance=0.5)
        assert await bench.containers() == []


async def test_many_pods_start_together(bench: Bench) -> None:
    async with bench.running():
        for number in range(20):
            put(bench, pod(f"web-{number}"))
        await bench.until(lambda: all(bench.ready(f"web-{number}") for number in range(20)))
        assert bench.clock.monotonic() < 3
        await asyncio.gather(
            *(bench.client.delete(kinds.POD, f"web-{number}", "default") for number in range(20))
        )
        await bench.until(lambda: not bench.client.all(kinds.POD))


TOKEN_VOLUME = {
    "name": "api",
    "projected": {"sources": [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}]},
}


def token_of(bench: Bench) -> str:
    uid = objects.uid(bench.pod("web"))
    path = Path(names.volume_dir(bench.node, uid, "api")) / "token"
    return path.read_text() if path.exists() else ""


async def test_tokens_are_written_and_renewed_before_they_expire(bench: Bench) -> None:
    async with bench.running():
        put(bench, pod("web", volumes=[TOKEN_VOLUME], serviceAccountName="robot"))
        await bench.until(lambda: bench.ready("web"))
        assert token_of(bench) == "token-1"
        namespace, account, body = bench.tokens.asked[0]
        assert (namespace, account) == ("default", "robot")
        assert body["spec"]["boundObjectRef"]["uid"] == objects.uid(bench.pod("web"))
        await bench.clock.advance(2800)
        assert token_of(bench) == "token-1"
        await bench.until(lambda: token_of(bench) == "token-2", advance=30)
        assert bench.clock.monotonic() < 3000


async def test_what_root_cannot_do_for_a_volume_either_is_told_and_tried_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = [errors.DriverError("/v cannot be made: mkdir ended with exit code 1")]

    async def settle(*_: object) -> None:
        if refusals:
            raise refusals.pop()

    monkeypatch.setattr(by_root.ByRoot, "settle", settle)
    async with bench.running():
        put(bench, pod("web", volumes=[{"name": "e", "emptyDir": {}}]))
        await bench.until(lambda: bench.ready("web"), advance=0.5)
        assert bench.events.texts("FailedMount") == [
            'MountVolume.SetUp failed for volume "e" : /v cannot be made: mkdir ended with exit code 1'
        ]


async def test_a_pod_waits_until_its_token_can_be_had(bench: Bench) -> None:
    async with bench.running():
        bench.tokens.refusal = errors.not_found("serviceaccounts", "", "robot")
        put(bench, pod("web", volumes=[TOKEN_VOLUME], serviceAccountName="robot"))
        await bench.until(lambda: "FailedMount" in bench.events.reasons)
        assert bench.events.texts("FailedMount")[0] == (
            'MountVolume.SetUp failed for volume "api" : failed to fetch token: '
            'serviceaccounts "robot" not found'
        )
        bench.tokens.refusal = None
        await bench.until(lambda: bench.ready("web"), advance=0.5)
