"""Who is not root, but may use the engine, has all of it: apps, their volumes, names and addresses."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import START, Cluster, curl, eventually, spare_node_port

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(180),
    pytest.mark.skipif(os.geteuid() != 0, reason="all tests are run by somebody else than root already"),
]

NOBODY = 65534
USER, GROUP = 1234, 3456
SOCKET = os.environ.get("DOCKER_HOST", "").removeprefix("unix://") or "/var/run/docker.sock"
MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {word: hello}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: kept}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 0
  securityContext: {runAsUser: %(user)d, runAsGroup: %(user)d, fsGroup: %(group)d}
  containers:
  - name: app
    image: minikctl-demo:latest
    imagePullPolicy: IfNotPresent
    ports: [{containerPort: 8080}]
    readinessProbe: {httpGet: {port: 8080}, periodSeconds: 1, timeoutSeconds: 10}
    volumeMounts:
    - {name: settings, mountPath: /settings}
    - {name: scratch, mountPath: /scratch}
    - {name: kept, mountPath: /kept}
  - name: root
    image: minikctl-demo:latest
    imagePullPolicy: IfNotPresent
    securityContext: {runAsUser: 0}
    command: [sh, -c, "mkdir -p /scratch/a /kept/a; echo x >/scratch/a/b; echo x >/kept/a/b; chmod 0 /scratch/a; exec sleep 1000"]
    volumeMounts:
    - {name: scratch, mountPath: /scratch}
    - {name: kept, mountPath: /kept}
    - {name: made, mountPath: /made}
  volumes:
  - {name: settings, configMap: {name: settings, defaultMode: 0400}}
  - {name: scratch, emptyDir: {}}
  - {name: kept, persistentVolumeClaim: {claimName: kept}}
  - {name: made, hostPath: {path: %(closed)s/a/b, type: DirectoryOrCreate}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80, targetPort: 8080, nodePort: %(port)d}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  rules:
  - host: web.localhost
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Yield a running cluster of a user who has nothing of root but the engine's group."""
    home = tempfile.mkdtemp(prefix="minikctl-e2e-")
    os.chown(home, NOBODY, NOBODY)
    made = Cluster(home, f"t{uuid.uuid4().hex[:6]}", _nobody())
    made.environment["HOME"] = home
    try:
        made.run("cluster", "start", "--egress=false", *START)
        yield made
    finally:
        made.run("cluster", "delete", code=None)
        shutil.rmtree(home, ignore_errors=True)


def _nobody() -> list[str]:
    """Return what comes before a command of that user, who may read the checkout wherever it is."""
    ids = [f"--reuid={NOBODY}", f"--regid={NOBODY}", f"--groups={os.stat(SOCKET).st_gid}"]
    words = ["setpriv", *ids]
    if subprocess.run([*words, "test", "-x", sys.executable, "-a", "-r", __file__], check=False).returncode:
        words += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return words


def test_who_is_not_root_has_apps_with_volumes_names_and_addresses(cluster: Cluster, tmp_path: Path) -> None:
    port = spare_node_port()
    values = {"user": USER, "group": GROUP, "port": port, "closed": tmp_path}
    cluster.out("apply", "-f", "-", stdin=MANIFEST % values)
    cluster.ready("app=web")
    assert os.stat(f"{cluster.home}/clusters").st_uid == NOBODY

    def run(script: str) -> str:
        return cluster.out("exec", "web", "-c", "app", "--", "sh", "-c", script).strip()

    assert run("cat /settings/word; stat -Lc '%g %a' /settings/word") == f"hello{GROUP} 440"
    assert run("for d in scratch kept; do touch /$d/mine; stat -c '%u %g' /$d/mine; done") == "\n".join(
        [f"{USER} {GROUP}"] * 2
    )
    assert (tmp_path / "a" / "b").is_dir()
    assert run("until [ -e /kept/a/b ]; do sleep 0.1; done; stat -c '%g' /kept/a") == str(GROUP)
    asking = ("exec", "web", "-c", "app", "--", "wget", "-qO-", "http://web.default.svc.cluster.local/")
    eventually(lambda: "web says" in cluster.run(*asking, code=None).stdout)
    assert "web says" in curl(f"http://127.0.0.1:{port}/")

    def balancer(kind: str) -> str:
        found = eventually(lambda: cluster.json(kind, "web")["status"].get("loadBalancer", {}).get("ingress"))
        return str(found[0]["ip"])

    assert "web says" in curl(f"http://{balancer('service')}/")
    address = balancer("ingress")
    assert "web says" in curl("http://web.localhost/", "--resolve", f"web.localhost:80:{address}")


def test_what_root_wrote_in_its_volumes_goes_with_the_pod_and_with_the_cluster(cluster: Cluster) -> None:
    uid = cluster.json("pod", "web")["metadata"]["uid"]
    volumes = f"{cluster.home}/clusters/{cluster.name}/pods/{uid}"
    assert os.path.isdir(volumes)
    cluster.run("delete", "pod", "web")
    eventually(lambda: not os.path.exists(volumes))
    cluster.run("cluster", "delete")
    assert os.listdir(f"{cluster.home}/clusters") in ([], [".lock"])
