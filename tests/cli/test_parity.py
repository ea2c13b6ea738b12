"""The same command lines by stock kubectl and by minikctl on the same server: output, errors and exit codes."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import World, call

SAME = r"""
get pods
get po -o wide
get po,svc
get all
get deploy web -o yaml
get deploy web -o json
get pods,deploy -o name
get deploy/web svc/web
get deploy web nope
get svc -A
get svc -A -o wide
get ns
get nodes
get cm conf -o yaml
get ep
get endpointslices
get rs -o wide
get pods --show-labels
get deploy -L app,tier --show-labels
get pods --no-headers
get pods -l app=none
get pods -n nope
get pods -l app=none -A
get pod nope
get pod nope --ignore-not-found
get foo
get foo/bar
get pods/a/b
get pods,foo
get -Z
get pods --nope
get pods -o
get pods --chunk-size=x
get pods --watch=maybe
get deploy web -o jsonpath={.spec.replicas}
get deploy -o jsonpath='{range .items[*]}{.metadata.name}{"\n"}{end}'
get svc web -o jsonpath='{.spec.ports[?(@.name=="http")].port}'
get svc web -o jsonpath={.spec.ports}
get svc web -o jsonpath={..port}
get svc web -o jsonpath-as-json={.spec.ports}
get svc web -o jsonpath={.spec.ports[0}
get svc -o custom-columns=NAME:.metadata.name,PORTS:.spec.ports[*].port,X:.foo
get svc --sort-by=.metadata.name
get svc -o nope
get svc -o jsonpath
get svc -o custom-columns
get --raw /readyz
get deploy web --subresource=scale
get pods --field-selector=nope=x
get pods -l a=b=c
get po x -l a=b
get po x -A
get pods --output-watch-events
api-resources
api-resources -o wide
api-resources -o name --namespaced=false
api-versions
describe deploy web
describe rs
describe pods
describe svc web
describe cm conf
describe ns default
describe node
describe sa default
describe ep web
describe endpointslices
describe lease -n kube-node-lease
describe pod nope
describe foo
describe
label deploy web
label deploy
label deploy nope a=b
annotate deploy web
scale deploy web
scale deploy nope --replicas=1
scale svc web --replicas=1
scale deploy/web --replicas=2 --dry-run=client
scale deploy/web --replicas=2 --current-replicas=9
patch deploy web
patch deploy web --type=nope -p {}
patch deploy nope -p {}
rollout status deploy/web
rollout status deploy/nope
rollout status svc/web
rollout status
rollout history deploy/web
rollout history deploy/web --revision=1
rollout history deploy/web --revision=9
rollout resume deploy/web
rollout status sts/db
rollout status ds/agent
rollout history sts/db
rollout history ds/agent --revision=1
rollout undo sts/db
rollout undo ds/agent --to-revision=7
rollout pause sts/db
get sts,ds,pvc,sc -o wide
get pv
get controllerrevisions
describe sts db
describe ds agent
describe pvc data-db-0
describe sc standard
rollout restart svc/web
rollout nope
wait --for=condition=Available deploy/web
wait --for=condition=Nope deploy/web --timeout=1s
wait --for=condition=Nope deploy/web --timeout=0
wait --for=condition=Ready pods -l app=none
wait --for=condition=Ready pod/nope --timeout=1s
wait --for=jsonpath={.spec.replicas}=2 deploy/web --timeout=1s
wait --for=jsonpath={.spec.replicas}=7 deploy/web --timeout=1s
wait --for=create deploy/none --timeout=1s
wait --for=delete pod/nope
wait --for=nope deploy/web
wait deploy/web
wait --for=jsonpath={.spec.replicas}=2 deploy/web -o name
wait --for=jsonpath={.spec.replicas}=2 deploy/web -o json
wait --for=jsonpath={.spec.replicas}=2 deploy/web -o jsonpath={.kind}
wait --for=delete pod/nope -o name
wait --for=create deploy/web --template={{.kind}}
wait --for=create deploy/web --local
create ns a b
create ns x --dry-run=client -o yaml
create deploy d --image=a --image=b/c:1 -r 2 --dry-run=client -o yaml
create deployment d
create cm c --from-literal=a=b --dry-run=client -o yaml
create cm c --from-literal=a
create cm conf --from-literal=a=b
create secret generic s --from-literal=a=b --dry-run=client -o yaml
create secret tls t
create service clusterip s --tcp=80:8080 --dry-run=client -o yaml
create service clusterip s
create ingress i --rule=a.b/x*=svc:80 --rule=a.b/y=svc:http,tls=sec --class=c --dry-run=client -o yaml
create ingress i
create nope
create -f /nope.yaml
run p --image=x --port=80 --env=A=b --labels=x=y --dry-run=client -o yaml -- sleep 1
run p --image=x --command --dry-run=client -o yaml -- sleep 1
run p
run --image=x
expose deploy web --name=w --port=80 --target-port=8080 --dry-run=client -o yaml
expose cm conf --port=80
delete pod nope
delete pod nope --ignore-not-found
delete pods -l app=none
delete pods
delete
delete deploy web --dry-run=client
delete deploy web --dry-run=server
delete deploy web --dry-run=nope
delete deploy web --cascade=nope
delete svc web --all
delete pods --all -l a=b
delete -f /nope.yaml
apply
apply -f /nope
apply -f x --dry-run=client --server-side
apply -f x --force-conflicts
logs
logs nope
logs deploy/web -c nope
exec
exec nope
exec nope ls
exec nope -- ls
exec deploy/web -c nope -- ls
explain
explain pods
explain deploy.spec
explain svc.spec.ports
explain ingress.spec --recursive
explain pod.spec.restartPolicy
explain pod.spec.nope
explain deployments.apps.spec.strategy
explain foo
explain pods svc
explain pod.spec.affinity --recursive --max-depth=2
explain pod.spec.affinity -R --max-depth=1
explain pod --max-depth=1
explain pod --recursive --max-depth=-1
explain pod -o nope
set image deploy/web c=x:1 --dry-run=client
set image deploy/web c=x:1 --dry-run=client -o yaml
set image deploy/web *=x:1 --dry-run=server
set image deploy/web nope=x:1
set image deploy/web
set image svc/web a=b
set image
set env deploy/web --list
set env deploy/web X=y A- --dry-run=client -o yaml
set env deploy/web --from=cm/conf --keys=a --prefix=P_ --dry-run=client -o yaml
set env deploy/web -c nope X=y --dry-run=client
set env deploy/web A=z --overwrite=false --dry-run=client -o yaml
set env svc/web A=b
set env pods --all --list
set env ds/agent --list --resolve
set env ds/agent --list -o yaml
set resources deploy/web
set resources deploy/web --limits=foo
set resources deploy/web -c=c --limits=cpu=1,memory=1Gi --requests=cpu=10m --dry-run=client -o yaml
set resources deploy/web -c=nope --limits=cpu=1
set sa deploy web builder --dry-run=client -o yaml
set selector svc web a=b --dry-run=client -o yaml
set selector deploy/web a=b
set nope
autoscale deploy web
autoscale deploy web --max=0
autoscale deploy web --max=1 --min=2
autoscale deploy web --max=3 --cpu=50% --dry-run=client
replace
replace -f /nope
replace -f x --grace-period=1
diff
diff -f /nope
cordon
cordon nope
cordon -l kubernetes.io/os=linux --dry-run=client
cordon -l kubernetes.io/os=linux --dry-run=server
cordon -l a=none
uncordon -l kubernetes.io/os=linux
taint
taint nodes
taint nodes nope
taint nodes nope a=b:NoSchedule
taint nodes --all a=b:NoSchedule --dry-run=client
taint nodes --all a=b:NoSchedule --dry-run=server
taint nodes --all a=b:Nope
taint nodes --all a=b
taint nodes --all a
taint nodes --all a-
taint nodes --all a=b:NoSchedule a:NoSchedule-
taint pods web a=b:NoSchedule
drain
drain nope
drain -l a=none
drain -l kubernetes.io/os=linux --dry-run=client --pod-selector=app=web --skip-wait-for-delete-timeout=1 --chunk-size=1
drain -l kubernetes.io/os=linux --dry-run=client --pod-selector=app=web
top pods
top pods --containers
top pods -A --sort-by=cpu
top pods --sum
top pods --sort-by=nope
top pods -l app=none
top pod nope
top nodes
top nodes --no-headers
top nodes --show-capacity
top nodes --show-swap
top pods --show-swap
top pods --containers --show-swap
attach
attach a b c
attach nope
attach deploy/web -c nope
attach deploy/web --pod-running-timeout=0
cp
cp a
cp a b
cp x:a y:b
cp :a b
cp a/b/c:x y
cp x: y
cp /nope-at-all nope:/x
port-forward
port-forward svc/web
port-forward svc/web 81
port-forward svc/web foo
port-forward nope 80
port-forward deploy/web nope
port-forward deploy/web x:80
port-forward deploy/web 80:70000
port-forward deploy/web 0
port-forward deploy/web 80 --address=nope
events --for=nope
events --types=Nope
get svc web -o kyaml
get cm conf nope -o kyaml
get cm -l a=none -o kyaml
get svc -o go-template='{{range .items}}{{.metadata.name}} {{.nope}} {{len .spec}}{{"\n"}}{{end}}'
get svc web -o template={{.spec.ports}}
get svc web --template={{.kind}}
get svc web -o go-template={{.items
get svc web -o go-template
get svc web -o go-template-file=/nope
get svc web -o json --show-managed-fields
get pods -o nope=x
get pods --as=nobody
get pods --as=nobody --as-user-extra=x
auth whoami
auth whoami -o yaml
auth whoami --as=foo --as-group=x --as-uid=1 --as-user-extra=a=b
auth can-i get pods
auth can-i create pods --as=foo
auth can-i nope pods
auth can-i get nope
auth can-i get /healthz
auth can-i get
auth can-i
auth can-i get nodes
auth can-i get csr
auth can-i get pods/x -q
auth can-i get pods --subresource=log -A
auth can-i '*' '*'
auth can-i --list get pods
auth can-i --list
auth can-i --list --as=foo
auth reconcile
certificate approve
certificate approve nope
certificate deny nope
create role r --verb=get --resource=pods,deploy.apps --resource-name=x --dry-run=client -o yaml
create role r
create role r --verb=get
create role r --verb=get --resource=nope
create role r --verb=nope --resource=pods --dry-run=client
create role r --verb=get,list,* --resource=pods --resource=nodes --dry-run=client -o yaml
create role
create clusterrole r --verb=get --resource=pods/log --dry-run=client -o yaml
create clusterrole r --verb=get --non-resource-url=/a --dry-run=client -o yaml
create clusterrole r --aggregation-rule=a=b --dry-run=client -o yaml
create clusterrole r --aggregation-rule=a
create clusterrole r --aggregation-rule=a=b --verb=get
create clusterrole r --verb=get
create clusterrole r --verb=get --non-resource-url=x
create rolebinding b --role=r --user=u --group=g --serviceaccount=ns:x --dry-run=client -o yaml
create rolebinding b --role=r --dry-run=client -o yaml
create rolebinding b
create rolebinding b --role=r --serviceaccount=x
create clusterrolebinding b --clusterrole=r --user=u --dry-run=client -o yaml
create clusterrolebinding b
create quota q --hard=cpu=1,pods=2 --scopes=BestEffort --dry-run=client -o yaml
create quota q --dry-run=client -o yaml
create quota q --hard=foo
create quota q --hard=cpu=x
create quota q --scopes=nope --hard=cpu=1
create priorityclass p --value=10 --description=hi --preemption-policy=Never --global-default --dry-run=client -o yaml
create priorityclass p --dry-run=client -o yaml
create priorityclass p --value=x
create priorityclass p --preemption-policy=x
create pdb p --selector='a=b,c in (d,e)' --min-available=50% --dry-run=client -o yaml
create pdb p --selector=a=b --max-unavailable=1 --dry-run=client -o yaml
create pdb p --selector=a=b
create pdb p
create pdb p --selector=a=b --min-available=1 --max-unavailable=1
create cronjob c --image=x --schedule='* * * * *' --dry-run=client -o yaml -- sleep 1
create cronjob c --image=x
create cronjob c --image=x --schedule=x
create cronjob c --image=x --schedule=@daily --restart=Nope
create job j --image=x --dry-run=client -o yaml -- sleep 1
create job j
create job j --from=cronjob/nope
create job j --from=deploy/web
create job j --from=cronjob/x --image=y
create job j --from=nope
create token
create token a b
create token nope
create token default --duration=5m
create token default --duration=x
create token default --bound-object-kind=Pod
create token default --bound-object-name=x
create token default --bound-object-kind=Foo --bound-object-name=x
create secret docker-registry r --docker-username=a
create secret docker-registry x --from-file=/nope
create cm x --from-literal=a=b --append-hash --dry-run=client -o name
create secret generic x --from-literal=a=b --append-hash --dry-run=client -o name
create sa x --validate=nope --dry-run=client
create ingress i --rule=a/b=c:80 --annotation=x=y --dry-run=client -o yaml
create deploy d --image=x --dry-run=client -o go-template={{.kind}}
set subject rolebinding nope
set subject rolebinding nope --user=x
set subject deploy/web --user=b
plugin list
apply view-last-applied cm conf
apply view-last-applied cm/conf -o json
apply view-last-applied svc kubernetes
apply view-last-applied
apply view-last-applied cm
apply view-last-applied cm nope
apply view-last-applied cm conf -o nope
apply set-last-applied
apply edit-last-applied
apply edit-last-applied cm nope
apply -f x --prune
apply -f x --prune -l a=b --all
apply -f x --prune -l a=b --prune-allowlist=foo
apply -f x --prune -l a=b --prune-allowlist=a/b/c
apply -f x --prune -l a=b --server-side
apply -k /nope
apply -k /nope -f x
debug
debug deploy/web --image=x
debug nope --image=x
debug nope
debug nope --image=x --profile=foo
debug nope --set-image=a=b
debug nope --image=x --replace
debug nope --image=x -t
logs deploy/web --all-pods
logs deploy/web --tail=-2
logs deploy/web --pod-running-timeout=0
logs deploy/web --pod-running-timeout=-1s
exec deploy/web --pod-running-timeout=0 -- ls
logs deploy/web --since=1x
logs deploy/web --since=x
logs -l app=web --all-containers --prefix
logs -l app=web -f --max-log-requests=1
expose deploy web --name=w --port=80 --session-affinity=ClientIP --external-ip=1.2.3.4 --dry-run=client -o yaml
run p --image=x --overrides='{' --dry-run=client -o yaml
run p --image=x --overrides='{"spec":{"nodeName":"n"}}' --annotations=a=b --privileged --dry-run=client -o yaml
label deploy web a=b -A
label deploy -A --field-selector=metadata.name=web a=b --dry-run=client
api-resources --categories=all -o name
api-resources --sort-by=nope
nope
"""


def normal(text: str) -> str:
    """Return the output without what passes with time, and without the program's own name."""
    text = text.replace("minikctl", "kubectl")
    # First, for a part of one may look like an age: 458d.
    text = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UID", text)
    text = re.sub(r"\b\d+(?:ms|s|m|h|d)(?:\d+s)?(?: \(x\d+ over \d+\w+\))?\b *", "AGE ", text)
    # A column is as wide as the longest age in it: one program may be asked at 9s, the next at 10s.
    text = re.sub(r"\b(AGE|Age|LAST SEEN|DURATION) +", r"\1 ", text)
    text = re.sub(r"(RenewTime|Renew Time|LastHeartbeatTime):.*", r"\1", text)
    text = re.sub(r"\w{3}, \d\d \w{3} \d{4} [\d:]+ \+0000", "TIME", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", text)
    text = re.sub(r"/tmp/(LIVE|MERGED)-\w+/(\S+)(\t\d{4}-.*)?", r"\1 \2", text)
    text = re.sub(r"(Resource Version|resourceVersion): *\S+", r"\1", text)
    text = re.sub(r"\n\nDid you mean this\?(?:\n\t\w+)+", "", text)
    return re.sub(r"-{4,} *| +\n", "", text)


MORE = (Path(__file__).parent / "same.txt").read_text()
"""One command line a line; what stands behind ``<<<`` is its input, with line breaks as in Python."""


@pytest.mark.parametrize("line", [*SAME.strip().splitlines(), *MORE.splitlines()])
def test_kubectl_and_minikctl_say_the_same(world: World, line: str) -> None:
    line, _, given = line.partition(" <<< ")
    words, stdin = shlex.split(line), given.replace("\\n", "\n")
    theirs, ours = world.kubectl(*words, stdin=stdin), world.run(*words, stdin=stdin)
    ours_err = "".join(part for part in ours.err.splitlines(keepends=True) if not part.startswith("hint:"))
    assert (normal(ours.out), normal(ours_err), ours.code) == (
        normal(theirs.out),
        normal(theirs.err),
        theirs.code,
    )


STORY = (
    ("apply -f -", 'data: {x: "1", y: "1"}'),
    ("apply --server-side --dry-run=server -f -", 'data: {x: "1", y: "1"}'),
    ("apply --server-side --dry-run=server --force-conflicts -f -", 'data: {x: "2"}'),
    ("apply --server-side -f -", 'data: {x: "2"}'),
    ("apply --server-side -f -", 'data: {x: "2"}'),
    ("apply --server-side --field-manager=other -f -", 'data: {x: "3", z: "3"}'),
    (
        "apply --server-side --field-manager=other --dry-run=server --force-conflicts -f -",
        'data: {x: "3", z: "3"}',
    ),
    ("apply --server-side --field-manager=other --force-conflicts -f -", 'data: {x: "3", z: "3"}'),
    ("apply --server-side -f -", 'data: {x: "4"}'),
    ("apply --server-side -f -", "data: {}\nfoo: bar"),
    ("apply --server-side --validate=false -f -", "data: {}\nfoo: bar"),
    ("apply --server-side --field-manager=other -f -", "data: {}"),
    ("apply -f -", 'data: {x: "5"}'),
)
"""Command lines and what of a ConfigMap they are given, in order."""


def test_server_side_apply_goes_as_with_kubectl(world: World) -> None:
    """Both programs tell the same story to an object each; what they print and what is stored is the same."""
    for line, content in STORY:
        manifest = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: NAME, labels: {{a: b}}}}\n{content}\n"
        theirs = world.kubectl(*line.split(), stdin=manifest.replace("NAME", "story-k"))
        ours = world.run(*line.split(), stdin=manifest.replace("NAME", "story-m"))
        ours_err = re.sub(r"(?m)^hint: .*\n", "", ours.err).replace("story-m", "story-k")
        assert (ours.out.replace("story-m", "story-k"), ours_err, ours.code) == (
            theirs.out,
            theirs.err,
            theirs.code,
        ), line
        left, right = (_stored(world, name) for name in ("story-k", "story-m"))
        assert right == left, line


def _stored(world: World, name: str) -> object:
    """Return the object without what passes with time.

    Managers are in the order of their operation, the second of their last write, and their name.  Whether two
    steps fall into one second is chance, so the order is compared where the clock is turned by hand.
    """
    text = world.kubectl("get", "cm", name, "-o", "json", "--show-managed-fields").out.replace(name, "NAME")
    found = json.loads(text)
    for field in ("uid", "creationTimestamp", "resourceVersion"):
        del found["metadata"][field]
    managers = found["metadata"]["managedFields"]
    for entry in managers:
        del entry["time"]
    managers.sort(key=lambda entry: (entry["operation"], entry["manager"]))
    return found


SCRIPTS = {
    "set changes what it says and is quiet about what is so already": (
        "set image deploy/toy app=a:1 side=b:1",
        "set image deploy/toy app=a:1",
        "set env deploy/toy A=1 B=2",
        "set env deploy/toy A- B=3",
        "set env deploy/toy --list",
        "set resources deploy/toy --limits=cpu=100m -c=app",
        "set serviceaccount deploy/toy default",
        "set selector svc toy a=b",
        "set selector svc toy a=c --resource-version=1",
        "set selector svc toy a=b --resource-version=1",
        "get svc toy -o jsonpath={.spec.selector}",
        "get deploy toy -o jsonpath={.spec.template.spec.containers}",
    ),
    "replace puts the whole object in its place": (
        "replace -f {file}",
        "get cm toy -o jsonpath={.data}",
        "replace -f {file} --dry-run=server",
        "replace --force -f {file}",
        "replace -f {missing}",
    ),
    "what was applied last is remembered, and can be said otherwise": (
        "apply -f {file}",
        "apply view-last-applied -f {file}",
        "apply set-last-applied -f {changed_map}",
        "apply view-last-applied -f {file}",
        "apply set-last-applied -f {changed_map}",
        "create -f {missing}",
        "apply set-last-applied -f {missing}",
        "apply set-last-applied -f {missing} --create-annotation",
        "apply view-last-applied -f {missing} -o json",
    ),
    "prune deletes what is not there any more": (
        "apply -f {pair}",
        "apply -f {file} --prune -l prune=me",
        "apply -f {first} --prune -l prune=me --prune-allowlist=core/v1/ConfigMap --dry-run=client",
        "apply -f {first} --prune -l prune=me --prune-allowlist=core/v1/ConfigMap",
        "get cm -l prune=me -o name",
    ),
    "subjects are added to bindings": (
        "create rolebinding toy --role=r --user=a",
        "set subject rolebinding toy --user=b --group=g",
        "set subject rolebinding toy --user=b",
        "set subject rolebinding toy",
        "get rolebinding toy -o jsonpath={.subjects}",
    ),
    "diff shows what apply would do": (
        "diff -f {file}",
        "apply -f {file}",
        "diff -f {file}",
        "diff -f {missing}",
        # kubectl compares a new Secret with the word null, minikctl with nothing: so it is not compared here.
        "apply -f {secret}",
        "diff -f {changed}",
        "diff --server-side -f {changed}",
    ),
}
TOY = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: toy}
spec:
  replicas: 0
  selector: {matchLabels: {app: toy}}
  template:
    metadata: {labels: {app: toy}}
    spec: {containers: [{name: app, image: a}, {name: side, image: b}]}
---
apiVersion: v1
kind: Service
metadata: {name: toy}
spec: {selector: {app: toy}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: toy, labels: {a: b}}
data: {old: entry}
"""
FILES = {
    "file": "{apiVersion: v1, kind: ConfigMap, metadata: {name: toy}, data: {new: entry}}",
    "changed_map": "{apiVersion: v1, kind: ConfigMap, metadata: {name: toy}, data: {newer: entry}}",
    "pair": (
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: one, labels: {prune: me}}}\n---\n"
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: two, labels: {prune: me}}}"
    ),
    "first": "{apiVersion: v1, kind: ConfigMap, metadata: {name: one, labels: {prune: me}}}",
    "missing": "{apiVersion: v1, kind: ConfigMap, metadata: {name: missing}, data: {new: entry}}",
    "secret": "{apiVersion: v1, kind: Secret, metadata: {name: hidden}, stringData: {a: one, b: two}}",
    "changed": "{apiVersion: v1, kind: Secret, metadata: {name: hidden}, data: {a: b25l, b: eHh4, c: eXl5}}",
}


CONFIG = (
    "view",
    "set-cluster lab --server=https://10.0.0.1:6443 --insecure-skip-tls-verify --tls-server-name=lab.example",
    "set-cluster lab --proxy-url=http://proxy:3128 --insecure-skip-tls-verify",
    "set-cluster old --server=http://old --certificate-authority=ca.crt",
    "set-credentials me --token=secret",
    "set-credentials me --username=u --password=p",
    "set-credentials robot --exec-command=aws --exec-api-version=client.authentication.k8s.io/v1 --exec-arg=a --exec-env=A=b",
    "set-context work --cluster=lab --user=me --namespace=team",
    "set-context other --cluster=old --user=robot",
    "use-context work",
    "set-context --current --namespace=crew",
    "current-context",
    "get-contexts",
    "get-contexts other -o name",
    "set clusters.lab.server https://10.0.0.2",
    "set contexts.work.namespace green",
    "unset contexts.work.namespace",
    "unset users.me",
    "rename-context work home",
    "rename-context nope x",
    "rename-context home other",
    "delete-context other",
    "delete-context nope",
    "delete-cluster old",
    "delete-cluster nope",
    "delete-user nope",
    "view",
    "view -o json",
    "view -o kyaml",
    "view --raw",
    "view --flatten",
    "view --minify",
    "view --minify -o jsonpath={.contexts[0].name}",
    "get-contexts --no-headers",
    "unset current-context",
    "current-context",
    "use-context home",
)
"""Command lines that make a kubeconfig out of nothing, in order."""


def test_a_kubeconfig_is_made_the_same_way(world: World, tmp_path: Path) -> None:
    """Both programs write a file each; what they print, and what each reads of its own file, is the same."""
    places = tmp_path / "theirs", tmp_path / "ours"
    for line in CONFIG:
        told = []
        for program, place in zip((world.kubectl, call), places, strict=True):
            done = program("config", *line.split(), f"--kubeconfig={place}")
            told.append(
                (line, *(text.replace(str(place), "FILE") for text in (done.out, done.err)), done.code)
            )
        assert normal(str(told[1])) == normal(str(told[0]))
    theirs, ours = (yaml.safe_load(place.read_text()) for place in places)
    for section in ("clusters", "users", "contexts"):
        ours[section] = sorted(ours[section] or (), key=lambda entry: str(entry["name"])) or None
    assert ours == theirs


def same_files(text: str) -> str:
    """Return the output of ``diff`` without names of temporary directories, times and kubectl's own log."""
    text = re.sub(r"^W\d{4} .*\n", "", text, flags=re.M)
    return re.sub(r"(\d{4}-\d\d-\d\d \S+ \S+)", "TIME", re.sub(r"/\S*/(LIVE|MERGED)-\w+", r"\1", text))


@pytest.mark.parametrize("title", SCRIPTS)
def test_scripts_go_the_same_way(world: World, title: str, tmp_path: Path) -> None:
    paths = {name: tmp_path / f"{name}.yaml" for name in FILES}
    for name, path in paths.items():
        path.write_text(FILES[name])
    said = []
    for namespace, program in (("theirs", world.kubectl), ("ours", world.run)):
        assert world.run("create", "namespace", namespace).code == 0
        assert world.run("apply", "-n", namespace, "-f", "-", stdin=TOY).code == 0
        found = []
        for line in SCRIPTS[title]:
            words = [
                word.format(**paths) if "{file" in word or word[1:-1] in FILES else word
                for word in shlex.split(line)
            ]
            done = program(*words, "-n", namespace)
            text = same_files(done.out).replace(namespace, "NAMESPACE"), same_files(done.err), done.code
            found.append((line, normal(text[0]), normal(text[1]).replace(namespace, "NAMESPACE"), text[2]))
        said.append(found)
        assert world.run("delete", "namespace", namespace, "--wait=true", "--timeout=20s").code == 0
    for theirs, ours in zip(*said, strict=True):
        assert ours == theirs
