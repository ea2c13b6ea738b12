"""The same command lines by stock kubectl and by minikctl on the same server: output, errors and exit codes."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.cli.conftest import World

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
events --for=nope
events --types=Nope
nope
"""


def normal(text: str) -> str:
    """Return the output without what passes with time, and without the program's own name."""
    text = text.replace("minikctl", "kubectl")
    text = re.sub(r"\b\d+(?:ms|s|m|h|d)(?:\d+s)?(?: \(x\d+ over \d+\w+\))?\b *", "AGE ", text)
    text = re.sub(r"(RenewTime|Renew Time|LastHeartbeatTime):.*", r"\1", text)
    text = re.sub(r"\w{3}, \d\d \w{3} \d{4} [\d:]+ \+0000", "TIME", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", text)
    text = re.sub(r"(Resource Version|resourceVersion): *\S+", r"\1", text)
    text = re.sub(r"\n\nDid you mean this\?(?:\n\t\w+)+", "", text)
    return re.sub(r"-{4,} *| +\n", "", text)


@pytest.mark.parametrize("line", SAME.strip().splitlines())
def test_kubectl_and_minikctl_say_the_same(world: World, line: str) -> None:
    words = shlex.split(line)
    theirs, ours = world.kubectl(*words), world.run(*words)
    ours_err = "".join(part for part in ours.err.splitlines(keepends=True) if not part.startswith("hint:"))
    assert (normal(ours.out), normal(ours_err), ours.code) == (
        normal(theirs.out),
        normal(theirs.err),
        theirs.code,
    )


STORY = (
    ("apply -f -", 'data: {x: "1", y: "1"}'),
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
        ours_err = re.sub(r"\n  in .*", "", ours.err).replace("story-m", "story-k")
        assert (ours.out.replace("story-m", "story-k"), ours_err, ours.code) == (
            theirs.out,
            theirs.err,
            theirs.code,
        ), line
        stored = [
            world.kubectl("get", "cm", name, "-o", "yaml", "--show-managed-fields").out.replace(name, "NAME")
            for name in ("story-k", "story-m")
        ]
        left, right = (re.sub(r"uid: .*", "", normal(text)) for text in stored)
        assert right == left, line
