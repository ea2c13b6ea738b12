"""Stock kubectl of several minor versions, driving every verb; each line of a script is a command and what it says.

The oldest is far beyond the supported skew on purpose: it streams by SPDY and knows neither the WebSocket protocols
nor aggregated discovery of today.
"""

from __future__ import annotations

import base64
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.clients import programs
from tests.clients.conftest import Cluster, Outcome, eventually

NODE = "minikctl-clients"
IMAGE = "minikctl-demo:latest"

pytestmark = [
    pytest.mark.skipif(not programs.RUNS_HERE, reason="older kubectls are packaged for Linux on x86-64"),
    pytest.mark.timeout(120),
]


class Kubectl:
    """One version, in one namespace."""

    def __init__(self, cluster: Cluster, version: str, namespace: str) -> None:
        self.cluster, self.version, self.namespace = cluster, version, namespace
        self.program = programs.KUBECTLS[version]
        self.names = {"NS": namespace, "NODE": NODE, "IMAGE": IMAGE, "V": version.replace(".", "-")}

    def run(self, line: str, stdin: str = "") -> Outcome:
        """Run a command line to its end; $NAMES in it are replaced."""
        for name, value in self.names.items():
            line = line.replace(f"${name}", value)
        return self.cluster.run(
            self.program,
            "-n",
            self.namespace,
            *shlex.split(line),
            stdin=stdin,
            KUBE_EDITOR="sed -i s/first/edited/",
        )

    def __call__(self, line: str, stdin: str = "") -> str:
        """Run a command line that must succeed; return what it printed."""
        done = self.run(line, stdin)
        assert done.code == 0, f"{line}: {done.out}{done.err}"
        return done.out

    def script(self, text: str, stdin: str = "") -> None:
        """Run the lines ``command => pattern``; the pattern must be in what the command prints."""
        failures = []
        for line in filter(None, map(str.strip, text.splitlines())):
            command, _, pattern = line.partition(" => ")
            done = self.run(command, stdin)
            if not re.search(pattern.strip(), done.out + done.err, re.MULTILINE):
                failures.append(f"{command}: {done.out}{done.err}")
        assert not failures, "\n".join(failures)

    def start(self, line: str) -> subprocess.Popen[str]:
        """Start a command that goes on."""
        return subprocess.Popen(
            [str(self.program), "-n", self.namespace, *shlex.split(line)],
            env=self.cluster.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest.fixture(params=programs.KUBECTLS)
def kubectl(request: pytest.FixtureRequest, cluster: Cluster, namespace: str) -> Kubectl:
    programs.ensure("layer-1.36", "layer-1.29")
    return Kubectl(cluster, request.param, namespace)


@pytest.fixture
def web(kubectl: Kubectl) -> Kubectl:
    """Return kubectl with a Deployment that runs."""
    kubectl("create deployment web --image=$IMAGE --replicas=2 --port=8080")
    kubectl("rollout status deploy/web --timeout=60s")
    return kubectl


def test_create_of_every_sort(kubectl: Kubectl) -> None:
    kubectl.script("""
        create configmap c --from-literal=a=b => configmap/c created
        create secret generic s --from-literal=p=q => secret/s created
        create secret docker-registry r --docker-server=x --docker-username=u --docker-password=p => secret/r created
        create serviceaccount robot => serviceaccount/robot created
        create role r --verb=get --resource=pods => role.rbac.authorization.k8s.io/r created
        create rolebinding r --role=r --serviceaccount=$NS:robot => rolebinding.rbac.authorization.k8s.io/r created
        create clusterrole cr-$V --verb=get --resource=pods => clusterrole.rbac.authorization.k8s.io/cr-.* created
        create clusterrolebinding cr-$V --clusterrole=cr-$V --user=x => clusterrolebinding.rbac.authorization.k8s.io/cr-.* created
        create quota q --hard=pods=20 => resourcequota/q created
        create poddisruptionbudget p --selector=app=d --min-available=1 => poddisruptionbudget.policy/p created
        create priorityclass pc-$V --value=5 => priorityclass.scheduling.k8s.io/pc-.* created
        create job j --image=$IMAGE -- true => job.batch/j created
        create cronjob cj --image=$IMAGE --schedule='0 4 * * *' -- true => cronjob.batch/cj created
        create job k --from=cronjob/cj => job.batch/k created
        create ingress i --rule=a.example/*=d:80 => ingress.networking.k8s.io/i created
        create service clusterip sc --tcp=80 => service/sc created
        create service nodeport sn --tcp=80 => service/sn created
        create service loadbalancer sl --tcp=80 => service/sl created
        create service externalname se --external-name=a.example => service/se created
        create token robot --duration=600s => ^ey
        create configmap c => configmaps "c" already exists
        create deployment d --image=$IMAGE --dry-run=server -o name => ^deployment.apps/d$
        run p --image=$IMAGE --labels=a=b --env=A=B --restart=Never --command -- true => pod/p created
        wait job/j --for=condition=complete --timeout=60s => condition met
        wait pod/p --for=jsonpath={.status.phase}=Succeeded --timeout=60s => condition met
        delete clusterrole,clusterrolebinding cr-$V => deleted
        delete priorityclass pc-$V => deleted
        delete job,cronjob,pod --all => deleted
    """)  # fmt: skip


def test_changes_of_every_sort(web: Kubectl) -> None:
    web.script("""
        expose deployment web --port=80 --target-port=8080 => service/web exposed
        autoscale deployment web --min=1 --max=3 => autoscaled
        delete hpa web => deleted
        scale deploy/web --replicas=3 => scaled
        scale deploy/web --replicas=1 --current-replicas=7 => Expected replicas to be 7, was 3
        set image deploy/web minikctl-demo=minikctl-demo:2 => image updated
        set env deploy/web A=B => env updated
        set resources deploy/web --limits=cpu=100m => resource requirements updated
        set serviceaccount deploy/web default => serviceaccount updated
        set selector service/web app=web,tier=x => selector updated
        label deploy web a=b => labeled
        label deploy web a=c => already has a value
        label deploy web a- => unlabeled
        annotate deploy web note=first => annotated
        edit deploy web => edited
        get deploy web -o jsonpath={.metadata.annotations.note} => ^edited$
        patch deploy web -p '{"spec":{"paused":true}}' => patched
        patch deploy web --type=merge -p '{"spec":{"paused":null}}' => patched
        patch deploy web --type=json -p '[{"op":"replace","path":"/spec/replicas","value":1}]' => patched
        patch deploy web --subresource=scale --type=merge -p '{"spec":{"replicas":2}}' => patched
        rollout status deploy/web --timeout=60s => successfully rolled out
        rollout restart deploy/web => restarted
        rollout status deploy/web --timeout=60s => successfully rolled out
        rollout history deploy/web => REVISION
        rollout history deploy/web --revision=1 => Image:\\s+minikctl-demo:latest
        rollout undo deploy/web --to-revision=1 => rolled back
        rollout pause deploy/web => paused
        rollout resume deploy/web => resumed
        rollout status deploy/web --timeout=60s => successfully rolled out
        wait deploy/web --for=condition=Available --timeout=60s => condition met
        delete deploy web --cascade=foreground --timeout=60s => deleted
        get pods -l app=web => No resources found
    """)


def test_questions_of_every_sort(web: Kubectl) -> None:
    web.script("""
        get deploy web => NAME +READY +UP-TO-DATE +AVAILABLE +AGE\\nweb +2/2
        get deploy web -o wide => CONTAINERS +IMAGES +SELECTOR
        get deploy web -o yaml => kind: Deployment
        get deploy web --subresource=scale => NAME +DESIRED +AVAILABLE.*\\nweb +2 +2
        get deploy web --subresource=status -o name => ^deployment.apps/web$
        get all => replicaset.apps/web-
        get pods --field-selector=status.phase=Running --no-headers => 1/1 +Running(.*\\n)+.*1/1 +Running
        get pods -l app=web -L app --show-labels => APP +LABELS
        get pods -A --sort-by=.metadata.name => kube-system
        get pods --chunk-size=1 --no-headers -o name => pod/web-
        get pods nobody => ^Error from server \\(NotFound\\): pods "nobody" not found$
        get nothing => the server doesn't have a resource type "nothing"
        get --raw /apis/apps/v1/namespaces/$NS/deployments/web/scale => "kind":"Scale"
        get componentstatuses => etcd-0 +Healthy
        describe deploy web => StrategyType: +RollingUpdate
        describe node $NODE => Allocated resources
        get events => Created pod
        events --for deployment/web => Scaled up replica set
        explain deploy.spec.replicas => replicas
        explain ingress --recursive => pathType
        api-resources --api-group=apps => deployments +deploy +apps/v1 +true +Deployment
        api-resources --categories=all -o name => deployments.apps
        api-versions => apps/v1
        version => Server Version: v1.36
        cluster-info => control plane
        cluster-info dump --output-directory=$NS-dump => Cluster info dumped
        get --raw /readyz?verbose => readyz check passed
        top node => CPU
        top pod => web-|metrics not available yet
        auth whoami => kubernetes-admin
        auth can-i create deployments => ^yes
        auth can-i create pods --as=system:serviceaccount:$NS:default => ^no
        auth can-i --list --as=system:serviceaccount:$NS:default => selfsubjectaccessreviews
        config view => certificate-authority-data
        completion bash => kubectl
        kustomize --help => kustomization
        plugin list => plugins
    """)


def test_nodes(web: Kubectl) -> None:
    try:
        web.script("""
            taint node $NODE a=b:PreferNoSchedule => tainted
            taint node $NODE a- => untainted
            drain $NODE --ignore-daemonsets --force --pod-selector=app=web --dry-run=server => server dry run
            get node $NODE => Ready  *<none>
            get pods -l app=web --no-headers => Running
            cordon $NODE => cordoned
            get node $NODE => Ready,SchedulingDisabled
            drain $NODE --ignore-daemonsets --force --pod-selector=app=web --timeout=60s => drained
            get pods -l app=web --no-headers => Pending
        """)
    finally:
        web("uncordon $NODE")
    web("rollout status deploy/web --timeout=60s")


APPLIED = """
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data: {a: first, b: second}
"""


def test_apply_of_both_sorts(kubectl: Kubectl, tmp_path: Path) -> None:
    changed = APPLIED.replace(", b: second", ", c: third")
    kubectl.script("""
        diff -f - => \\+  a: first
        apply -f - => configmap/conf created
        apply -f - => configmap/conf unchanged
        diff -f - => ^$
        apply view-last-applied configmap/conf => b: second
    """, APPLIED)  # fmt: skip
    kubectl.script("apply -f - => configmap/conf configured", changed)
    assert kubectl("get cm conf -o jsonpath={.data}") == '{"a":"first","c":"third"}'
    kubectl.script("""
        apply --server-side -f - => serverside-applied
        apply --server-side --field-manager=other -f - => serverside-applied
    """, changed)  # fmt: skip
    other = changed.replace("first", "mine")
    kubectl.script("apply --server-side --field-manager=other -f - => Apply failed with 1 conflict: conflict with \"kubectl\": .data.a", other)  # fmt: skip
    kubectl.script(
        "apply --server-side --field-manager=other --force-conflicts -f - => serverside-applied", other
    )
    kubectl.script("replace -f - => replaced", APPLIED)
    kubectl.script("replace --force -f - => replaced", APPLIED)
    kubectl.script("apply set-last-applied --create-annotation -f - => configured", APPLIED)
    kubectl.script("delete -f - => deleted", APPLIED)
    kubectl.script(
        "apply --prune -l x=z --dry-run=server -f - => created",
        APPLIED.replace("conf}", "conf, labels: {x: z}}"),
    )
    (tmp_path / "kustomization.yaml").write_text("configMapGenerator: [{name: made, literals: [a=b]}]\n")
    kubectl.script(f"""
        apply -k {tmp_path} => configmap/made-\\w+ created
        delete -k {tmp_path} => deleted
    """)


def test_streams_of_every_sort(kubectl: Kubectl) -> None:
    kubectl("run web --image=$IMAGE --command -- sh -c 'echo said; sleep 1000'")
    kubectl("wait pod/web --for=condition=Ready --timeout=60s")
    kubectl.script("""
        logs web => ^said$
        logs web --timestamps --tail=1 => ^20..-..-..T.* said$
        logs web --previous => previous terminated container "web" in pod "web" not found
        exec web -- echo a b => ^a b$
        exec web -- sh -c 'echo failed >&2; exit 3' => failed\\ncommand terminated with exit code 3
        exec nobody -- true => pods "nobody" not found
        debug web --image=$IMAGE --target=web -c dbg -- true => Targeting container
        get pod web -o jsonpath={.spec.ephemeralContainers[*].name} => ^dbg$
    """)
    assert kubectl("exec -i web -- cat", "through\n" * 1000) == "through\n" * 1000


def test_watching_and_following(kubectl: Kubectl) -> None:
    watching = kubectl.start("get configmaps -w --no-headers -o custom-columns=N:.metadata.name")
    try:
        assert watching.stdout is not None
        assert watching.stdout.readline() == "kube-root-ca.crt\n"
        kubectl("create configmap later")
        assert watching.stdout.readline() == "later\n"
    finally:
        watching.kill()
        watching.communicate()
    waiting = kubectl.start("wait cm/later --for=delete --timeout=60s -v=7")
    assert waiting.stdout is not None
    while "watch=true" not in (said := waiting.stdout.readline()):
        assert said, "it ended without a watch"
    kubectl("delete cm later")
    assert "condition met" in waiting.communicate(timeout=60)[0]
    kubectl("run web --image=$IMAGE --restart=Never --command -- sh -c 'echo one; sleep 1; echo two'")
    # It is not waited for: it may have run already when it is looked at.
    eventually(lambda: kubectl.run("logs -f web").out.split() == ["one", "two"])


def test_proxy(kubectl: Kubectl) -> None:
    proxy = kubectl.start("proxy --port=0")
    try:
        assert proxy.stdout is not None
        address = proxy.stdout.readline().split()[-1]
        url = f"http://{address}/api/v1/namespaces/{kubectl.namespace}"
        asked = ["curl", "-s", url]
        eventually(
            lambda: (
                '"kind":"Namespace"'
                in subprocess.run(asked, capture_output=True, text=True, check=False).stdout
            )
        )
    finally:
        proxy.kill()
        proxy.communicate()


def test_certificates(kubectl: Kubectl, tmp_path: Path) -> None:
    key, request = tmp_path / "key.pem", tmp_path / "csr.pem"
    command = ["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=jane/O=shop"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(request)], capture_output=True, check=True)
    name = f"jane-{kubectl.names['V']}"
    manifest = f"""
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {{name: {name}}}
spec:
  request: {base64.b64encode(request.read_bytes()).decode()}
  signerName: kubernetes.io/kube-apiserver-client
  usages: [client auth]
"""
    kubectl.script("create -f - => created", manifest)
    kubectl.script(f"""
        get csr {name} => Pending
        certificate approve {name} => approved
        wait csr/{name} --for=jsonpath={{.status.certificate}} --timeout=60s => condition met
        get csr {name} => Approved,Issued
        delete csr {name} => deleted
    """)
    kubectl.script("create -f - => created", manifest)
    kubectl.script(
        f"certificate deny {name} => denied\nget csr {name} => Denied\ndelete csr {name} => deleted"
    )
