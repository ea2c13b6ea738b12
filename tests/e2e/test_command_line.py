"""What minikctl's own command line adds, on real containers: waiting with reasons, debugging, other users."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: app, image: "IMAGE", imagePullPolicy: IfNotPresent}]
"""


def manifest(name: str, image: str = "minikctl-demo:latest") -> str:
    """Return a Deployment of that name and image."""
    return MANIFEST.replace("NAME", name).replace("IMAGE", image)


def test_applying_waits_and_tells_the_pods_own_reason(cluster: Cluster) -> None:
    done = cluster.run("apply", "-f", "-", "--wait", "--timeout=60s", stdin=manifest("fine"))
    assert 'deployment.apps/fine: deployment "fine" successfully rolled out' in done.stderr
    broken = manifest("broken", "no.such.host.invalid/image:1")
    done = cluster.run("apply", "-f", "-", "--wait", "--timeout=60s", stdin=broken, code=1)
    assert "deployment.apps/broken will not run: pod broken-" in done.stderr
    assert "cannot start container app: " in done.stderr
    done = cluster.run(
        "wait", "--fail-fast", "--for=condition=Available", "deploy/broken", "--timeout=60s", code=1
    )
    assert "will not get there" in done.stderr


def test_a_container_beside_the_pods_own_looks_into_it(cluster: Cluster) -> None:
    cluster.run("apply", "-f", "-", "--wait", stdin=manifest("looked-at"))
    pod = cluster.out("get", "pods", "-l", "app=looked-at", "-o", "name").strip()
    words = ("debug", pod, "-i", "-c", "looking", "--image=minikctl-demo:latest", "--target=app")
    # What it wrote before it was joined is shown, too.
    script = "echo hello; sleep 1; cat /proc/1/cmdline | tr '\\0' ' '"
    done = cluster.run(*words, "--", "sh", "-c", script)
    assert done.stdout.count("hello") == 1
    names = [each["name"] for each in cluster.json(pod)["spec"]["ephemeralContainers"]]
    assert names == ["looking"]


def test_commands_run_as_another_user(cluster: Cluster) -> None:
    cluster.run("apply", "-f", "-", "--wait", stdin=manifest("users"))
    assert cluster.out("exec", "deploy/users", "--", "id", "-u") == "0\n"
    assert cluster.out("exec", "--user", "1000:1001", "deploy/users", "--", "id", "-u") == "1000\n"
    assert cluster.out("exec", "--user", "1000:1001", "deploy/users", "--", "id", "-g") == "1001\n"
