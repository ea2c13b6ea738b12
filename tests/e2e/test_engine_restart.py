"""The engine goes away and comes back: nothing is lost, it is said, and nobody has to help."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator

import pytest

from tests.e2e import apps, private_engine
from tests.e2e.conftest import Cluster, eventually
from tests.e2e.private_engine import PrivateEngine

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not private_engine.is_possible(), reason="needs root, dockerd, nsenter and ip"),
]


DONE = """
apiVersion: v1
kind: Pod
metadata: {name: done}
spec:
  restartPolicy: Never
  nodeName: minikctl-restarted-3
  containers:
  - {name: app, image: "minikctl-infra:latest", imagePullPolicy: IfNotPresent, command: [echo, all done]}
"""


TOLERANT = "terminationGracePeriodSeconds: 1\n      tolerations: [{key: broken, operator: Exists}]"
STAYING = [app.replace("terminationGracePeriodSeconds: 1", TOLERANT) for app in (apps.WEB, apps.STORE)]


@pytest.fixture(scope="module")
def engine() -> Iterator[PrivateEngine]:
    with private_engine.running() as found:
        yield found


@pytest.fixture(scope="module")
def cluster(engine: PrivateEngine) -> Iterator[Cluster]:
    home = tempfile.mkdtemp(prefix="minikctl-e2e-")
    made = Cluster(home, "restarted", engine.before, engine.address)
    try:
        made.run("cluster", "start", "--egress=false", "--nodes", "3")
        made.run("apply", "-f", "-", stdin="---".join((*STAYING, DONE)))
        made.run("rollout", "status", "deploy/web", "--timeout=60s")
        made.run("rollout", "status", "sts/db", "--timeout=60s")
        made.run("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/done", "--timeout=60s")
        yield made
    finally:
        made.run("cluster", "delete", code=None)
        shutil.rmtree(home, ignore_errors=True)


def serves(cluster: Cluster) -> bool:
    """Tell whether a pod reaches the Service by its name."""
    return cluster.run("exec", "db-0", "--", "sh", "-c", apps.ASK, code=None).stdout.startswith("web-")


def pods(cluster: Cluster) -> dict[str, int]:
    """Return how often each pod that is ready was restarted."""
    found = {}
    for pod in cluster.json("pods")["items"]:
        status = pod["status"]["containerStatuses"][0] if "containerStatuses" in pod["status"] else {}
        if status.get("ready"):
            found[pod["metadata"]["uid"]] = int(status["restartCount"])
    return found


def places(cluster: Cluster) -> dict[str, str]:
    """Return the node of each pod."""
    return {pod["metadata"]["uid"]: pod["spec"]["nodeName"] for pod in cluster.json("pods")["items"]}


def node_says(cluster: Cluster) -> str:
    conditions = cluster.json("nodes")["items"][0]["status"]["conditions"]
    ready = next(each for each in conditions if each["type"] == "Ready")
    return f"{ready['status']} {ready['reason']}: {ready['message']}"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_all_goes_on_on_each_node_when_the_engine_is_back(
    cluster: Cluster, engine: PrivateEngine, number: signal.Signals
) -> None:
    eventually(lambda: serves(cluster))
    before = pods(cluster)
    assert len(before) == 3
    where, done = places(cluster), cluster.json("pod", "done")
    assert len(set(where.values())) == 3
    engine.end(number)

    said = eventually(lambda: (found := node_says(cluster)).startswith("False") and found)
    down = f"container runtime is down: no Docker engine answers at {engine.address}"
    assert said == f"False KubeletNotReady: {down}"
    assert "NotReady" in cluster.out("get", "nodes")
    assert down in cluster.out("cluster", "status")
    refused = cluster.run("exec", "db-0", "--", "ls", code=1)
    assert (
        refused.stderr == f"Error from server (InternalError): no Docker engine answers at {engine.address}\n"
    )
    assert len(cluster.json("pods")["items"]) == len(where), "what is not seen is not given up"
    cluster.run("scale", "deploy/web", "--replicas=3")
    if number == signal.SIGKILL:
        cluster.run("taint", "nodes", "minikctl-restarted-3", "broken=yes:NoExecute")
    # A control plane that starts meanwhile says so, and forgets nothing either.
    cluster.run("cluster", "stop")
    assert down in cluster.run("cluster", "start", code=1).stderr

    engine.start()
    after = eventually(lambda: len(found := pods(cluster)) == 4 and found, 60)
    assert set(before) < set(after), "the pods are the same ones"
    if number == signal.SIGKILL:
        eventually(lambda: cluster.run("get", "pod", "done", code=None).returncode == 1)
        del where[done["metadata"]["uid"]]  # does not tolerate what came meanwhile
    else:
        assert cluster.json("pod", "done")["status"] == done["status"], "what has ended has ended"
        assert cluster.out("logs", "done") == "all done\n"
    assert where.items() <= places(cluster).items(), "on the same nodes"
    assert all(after[uid] == count + 1 for uid, count in before.items())
    eventually(lambda: serves(cluster))
    eventually(lambda: "NotReady" not in cluster.out("get", "nodes"))
    assert cluster.out("exec", "db-0", "--", "cat", "/data/log").split() == ["start"] * (
        1 + after[cluster.json("pod", "db-0")["metadata"]["uid"]]
    )
    cluster.run("cluster", "start")
    cluster.run("scale", "deploy/web", "--replicas=2")
    eventually(lambda: len(cluster.json("pods")["items"]) == len(where))
