"""Images from a registry: refused without a login, pulled with that of an imagePullSecret, and told in events."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.e2e import registry
from tests.e2e.conftest import Cluster, docker, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

COMMAND = ["sh", "-c", "exec sleep 1000"]


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """Yield the name of an image that only a registry with a password has."""
    with registry.running("minikctl-infra:latest", seconds=14) as address:
        name = f"{address}/team/tool:1"
        try:
            yield name
        finally:
            if docker("images", "-q", name):
                docker("rmi", "-f", name)


def pod(name: str, image: str, **more: object) -> str:
    container = {"name": "app", "image": image, "command": COMMAND}
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container], **more}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


def waiting(cluster: Cluster, name: str) -> dict[str, str]:
    state = (cluster.json("pod", name)["status"].get("containerStatuses") or [{}])[0].get("state", {})
    return dict(state.get("waiting", {}))


def messages(cluster: Cluster, name: str, reason: str) -> list[str]:
    found = cluster.json("events", f"--field-selector=involvedObject.name={name}")["items"]
    return [event["message"] for event in found if event["reason"] == reason]


def test_a_login_is_asked_for_and_taken_from_the_pull_secret(cluster: Cluster, image: str) -> None:
    cluster.run("apply", "-f", "-", stdin=pod("stranger", image))
    state = eventually(
        lambda: (found := waiting(cluster, "stranger")).get("reason") == "ImagePullBackOff" and found
    )
    assert state["message"].startswith(f'Back-off pulling image "{image}"')
    eventually(lambda: "Error: ErrImagePull" in messages(cluster, "stranger", "Failed"))
    assert messages(cluster, "stranger", "Pulling")[0] == f'Pulling image "{image}"'
    failed = messages(cluster, "stranger", "Failed")
    assert any(text.startswith(f'Failed to pull image "{image}"') and "auth" in text for text in failed)
    assert "Error: ErrImagePull" in failed

    words = ["docker-registry", "login", f"--docker-server={image.partition('/')[0]}"]
    login = [f"--docker-username={registry.USER}", f"--docker-password={registry.PASSWORD}"]
    cluster.run("create", "secret", *words, *login)
    secrets = [{"name": "login"}]
    cluster.run("apply", "-f", "-", stdin=pod("guest", image, imagePullSecrets=secrets))
    cluster.run("wait", "--for=condition=Ready", "pod/guest", "--timeout=90s")
    (told,) = eventually(lambda: messages(cluster, "guest", "Pulled"))
    pattern = rf'Successfully pulled image "{re.escape(image)}" in \S+ \(\S+ including waiting\)\. Image size: \d+ bytes\.'
    assert re.fullmatch(pattern, told), told
    how_far = [text for text in messages(cluster, "guest", "Pulling") if " layers" in text]
    assert re.fullmatch(r'Pulling image "\S+": \d+ of \d+ layers, \S+ of \S+ MB after 10s', how_far[0]), (
        how_far
    )
    # The image is here now: who does not ask the registry needs no login, and the stranger's wait ends.
    eventually(lambda: cluster.json("pod", "stranger")["status"]["phase"] == "Running", 60)
    cluster.run("delete", "pod", "stranger", "guest")
