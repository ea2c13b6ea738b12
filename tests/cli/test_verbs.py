"""What verbs do to a cluster, and what they say of bad input."""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path

import pytest

from minikctl.cli import catalog, completion, main
from tests.cli.conftest import World, call

ROOT = Path(__file__).resolve().parents[2]


def test_apply_creates_configures_and_leaves(world: World) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied}\ndata: {a: %s}\n"
    said = [world.run("apply", "-f", "-", stdin=text % value).out for value in ("x", "x", "z")]
    assert said == [f"configmap/applied {word}\n" for word in ("created", "unchanged", "configured")]
    assert world.kubectl("apply", "-f", "-", stdin=text % "z").out == "configmap/applied unchanged\n"
    assert world.run("delete", "cm", "applied").out == 'configmap "applied" deleted from default namespace\n'


def test_apply_puts_first_what_others_need(world: World) -> None:
    pieces = ["{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: late}}"]
    pieces.append("{apiVersion: v1, kind: Namespace, metadata: {name: late}}")
    assert world.run("apply", "-f", "-", stdin="\n---\n".join(pieces)).out.splitlines() == [
        "namespace/late created",
        "configmap/c created",
    ]
    assert world.run("delete", "ns", "late").code == 0
    assert world.run("get", "ns", "late").code == 1


def test_a_bad_document_is_named_and_the_others_go_through(world: World) -> None:
    pieces = [
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: fine}}",
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: odd}, dat: {}}",
        "{apiVersion: v1, kind: Nope, metadata: {name: x1}}",
        "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 99999}]}}",
        "a: [",
    ]
    found = world.run("apply", "-f", "-", stdin="\n---\n".join(pieces))
    assert (found.code, found.out) == (1, "configmap/fine created\n")
    assert 'unknown field "dat"\nhint: STDIN, document 2, line 3, ConfigMap odd' in found.err
    assert 'no matches for kind "Nope" in version "v1"' in found.err
    assert "hint: STDIN, document 3, line 5, Nope x1" in found.err
    assert "spec.ports[0].port: Invalid value: 99999" in found.err
    assert "hint: STDIN, document 5, line 10" in found.err
    world.run("delete", "cm", "fine")


def test_dry_runs_change_nothing(world: World) -> None:
    text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: dry}}"
    for mode, suffix in (("client", "dry run"), ("server", "server dry run")):
        said = world.run("apply", "-f", "-", f"--dry-run={mode}", stdin=text).out
        assert said == f"configmap/dry created ({suffix})\n"
    assert world.run("get", "cm", "dry").code == 1


def test_labels_scale_rollout_and_patch(world: World) -> None:
    assert world.run("create", "deployment", "d", "--image=x").out == "deployment.apps/d created\n"
    assert world.run("label", "deploy/d", "a=b").out == "deployment.apps/d labeled\n"
    assert world.run("label", "deploy/d", "a=c").code == 1
    assert world.run("label", "deploy/d", "a-").out == "deployment.apps/d unlabeled\n"
    assert world.run("scale", "deploy/d", "--replicas=2").out == "deployment.apps/d scaled\n"
    assert world.run("rollout", "status", "deploy/d", "--timeout=30s").out.endswith(
        "successfully rolled out\n"
    )
    assert (
        world.run("patch", "deploy", "d", "-p", '{"spec":{"replicas":1}}').out
        == "deployment.apps/d patched\n"
    )
    # The controller's own writes between a patch and its comparison would count as a change, as with kubectl.
    assert world.run("rollout", "status", "deploy/d", "--timeout=30s").code == 0
    assert "(no change)" in world.run("patch", "deploy", "d", "-p", '{"spec":{"replicas":1}}').out
    assert world.run("rollout", "pause", "deploy/d").out == "deployment.apps/d paused\n"
    assert world.run("rollout", "resume", "deploy/d").out == "deployment.apps/d resumed\n"
    assert world.run("expose", "deploy/d", "--port=80").out == "service/d exposed\n"
    assert world.run("delete", "deploy/d", "svc/d").out.count("deleted from default namespace") == 2


def test_the_status_of_the_cluster_is_readable_by_programs(world: World) -> None:
    found = json.loads(world.run("cluster", "status", "-o", "json").out)
    assert found["running"] is True
    assert found["health"] == "ok"
    assert found["serviceProxy"] == {"tcp": "nftables", "udp": "nftables", "sctp": "nftables"}
    assert found["apiServer"].startswith("https://127.0.0.1:")
    assert "cli" in world.run("cluster", "list").out


def test_local_clusters_are_listed_by_name(world: World) -> None:
    assert world.run("cluster", "list", "-o", "name").out == "cli\n"
    for line, allowed in (
        ("cluster list", "name"),
        ("cluster status", "json,yaml"),
        ("history ns/x", "json,yaml"),
    ):
        refused = world.run(*line.split(), "-o", "wide")
        assert refused.code == 1
        assert refused.err == (
            'error: unable to match a printer suitable for the output format "wide", '
            f"allowed formats are: {allowed}\n"
        )


def test_contexts_of_the_clusters_own_kubeconfig(world: World) -> None:
    assert world.run("config", "current-context").out == "minikctl-cli\n"
    assert world.run("config", "set-context", "--current", "-n", "kube-system").code == 0
    assert world.run("get", "pods", "-l", "a=none").err == "No resources found in kube-system namespace.\n"
    assert world.run("config", "set-context", "--current", "-n", "default").code == 0
    assert "REDACTED" in world.run("config", "view").out


def test_a_server_that_is_not_there_is_told_in_kubectls_words() -> None:
    with (
        socket.socket() as held
    ):  # bound and not listening: refused for certain, and nobody else can listen there
        held.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{held.getsockname()[1]}"
        found = call("--server", f"http://{place}", "get", "pods")
    assert found.code == 1
    assert found.err.startswith(
        f"The connection to the server {place} was refused - did you specify the right host"
    )


def test_a_container_that_does_not_run_is_told_in_kubectls_words(world: World) -> None:
    assert world.run("run", "stuck", "--image=missing/x:1").code == 0
    try:
        assert world.run("wait", "--for=condition=PodScheduled", "pod/stuck", "--timeout=60s").code == 0
        for words in (("exec", "stuck", "--", "true"), ("exec", "stuck", "-c", "nope", "--", "true")):
            ours, theirs = world.run(*words), world.kubectl(*words)
            assert (ours.code, ours.out, ours.err) == (theirs.code, theirs.out, theirs.err)
        said = world.run("exec", "stuck", "--", "true").err
        assert said == 'error: unable to upgrade connection: container not found ("stuck")\n'
    finally:
        world.run("delete", "pod", "stuck", "--now")


def test_mistyped_names_get_a_hint(world: World) -> None:
    assert "hint: did you mean pods?" in world.run("get", "podz").err
    assert "Did you mean this?\n\tget" in call("gte").err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_scripts_in_the_repository_are_the_generated_ones(shell: str) -> None:
    assert (ROOT / "completions" / f"minikctl.{shell}").read_text() == completion.SCRIPTS[shell]
    assert call("completion", shell).out == completion.SCRIPTS[shell]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["ge"], {"get"}),
        (["rollout", "st"], {"status"}),
        (["get", "--sh"], {"--show-kind", "--show-labels", "--show-managed-fields"}),
        (["get", "-o", "j"], {"json", "jsonpath=", "jsonpath-as-json=", "jsonpath-file="}),
        (["get", "--output=ya"], {"--output=yaml"}),
        (["get", "dep"], {"deployments"}),
        (["get", "deploy", ""], {"web"}),
        (["get", "deploy/w"], {"deploy/web"}),
        (["get", "deploy", "web", ""], set()),
        (["get", "pods", "-n", "kube-s"], {"kube-system"}),
        (["get", "pods", "-nkube-system", "-l", "app=no"], set()),
        (["get", "pods", "-n", "default,kube-s"], {"default,kube-system"}),
        (["get", "-f"], {"-f"}),
        (["get", "pods,statefuls"], {"pods,statefulsets"}),
        (["get", "svc,deploy", "w"], {"web"}),
        (["get", "deploy", "-l", "app=w"], {"app=web"}),
        (["get", "deploy", "-l", "app==w"], {"app==web"}),
        (["get", "deploy", "-L", "app,a"], set()),
        (["get", "deploy", "-L", "ap"], {"app"}),
        (["label", "deploy", "web", "ap"], {"app=", "app-"}),
        (
            ["annotate", "deploy/web", "deployment"],
            {f"deployment.kubernetes.io/revision{end}" for end in "=-"},
        ),
        (["cordon", ""], {"minikctl-cli"}),
        (["drain", "minikctl-cli", ""], set()),
        (["taint", ""], {"nodes"}),
        (["taint", "nodes", ""], {"minikctl-cli"}),
        (["top", "node", ""], {"minikctl-cli"}),
        (["top", "pod", "db"], {"db-0"}),
        (["exec", "db"], {"db-0"}),
        (["exec", "d"], {"db-0", "deployments/", "daemonsets/"}),
        (["exec", "db-0", ""], set()),
        (["exec", "statefulsets/d"], {"statefulsets/db"}),
        (["logs", "db-0", ""], {"c"}),
        (["logs", "db-0", "c", ""], set()),
        (["cp", "db"], {"db-0:", ":files"}),
        (["cp", "db-0:"], {":files"}),
        (["netpol", "trace", "db"], {"db-0"}),
        (["netpol", "trace", "db-0", "w"], {"web:80"}),
        (["netpol", "trace", "db-0", "web:80", ""], set()),
        (["why", ""], {"kubernetes", "web", "ingress/", "pod/", "service/"}),
        (["why", "pod/db"], {"pod/db-0"}),
        (["why", "web", ""], set()),
        (["why", "web", "--from", "db"], {"db-0"}),
        (["rollout", "status", ""], {"deployments", "daemonsets", "statefulsets"}),
        (["scale", "s"], {"statefulsets"}),
        (["create", "token", "def"], {"default"}),
        (["create", "role", "x", "--verb", "get"], {"get"}),
        (["create", "role", "x", "--resource", "pods,statef"], {"pods,statefulsets"}),
        (["create", "rolebinding", "x", "--clusterrole", "edi"], {"edit"}),
        (["auth", "can-i", "wat"], {"watch"}),
        (["auth", "can-i", "watch", "statef"], {"statefulsets"}),
        (["auth", "can-i", "watch", "pods", ""], set()),
        (["config", "delete-cluster", ""], {"minikctl-cli"}),
        (["config", "use-context", ""], {"minikctl-cli"}),
        (["config", "delete-user", "nobody"], set()),
        (["ctx", "local/c"], {"local/cli"}),
        (["apply", "-f", ""], {":files"}),
        (["nope", ""], set()),
    ],
)
def test_completion(world: World, words: list[str], wanted: set[str]) -> None:
    found = call("__complete", "--", "--cluster", "cli", *words)
    assert (set(found.out.splitlines()), found.err, found.code) == (wanted, "", 0)


def test_reconciling_gives_roles_and_bindings_what_they_lack_and_takes_away_only_if_asked(
    world: World,
) -> None:
    group = "rbac.authorization.k8s.io"

    def pieces(resource: str, role: str, user: str) -> str:
        rules = [{"apiGroups": [""], "resources": [resource], "verbs": ["get"]}]
        named = {"apiVersion": f"{group}/v1", "metadata": {"name": "toy"}}
        subjects = [{"apiGroup": group, "kind": "User", "name": user}]
        binding = {"roleRef": {"apiGroup": group, "kind": "Role", "name": role}, "subjects": subjects}
        found = [{**named, "kind": "Role", "rules": rules}, {**named, "kind": "RoleBinding", **binding}]
        return "\n---\n".join(map(json.dumps, found))

    def state() -> tuple[str, str, str]:
        rules = "-o=jsonpath={.rules[*].resources[*]}"
        subjects, role = "-o=jsonpath={.subjects[*].name}", "-o=jsonpath={.roleRef.name}"
        asked = (("role", rules), ("rolebinding", subjects), ("rolebinding", role))
        rules_, subjects_, role_ = (world.run("get", kind, "toy", form).out for kind, form in asked)
        return rules_, subjects_, role_

    try:
        for stdin, flags, wanted in (
            (pieces("pods", "toy", "a"), (), ("pods", "a", "toy")),
            (pieces("services", "toy", "b"), ("--dry-run=server",), ("pods", "a", "toy")),
            (pieces("services", "toy", "b"), (), ("pods services", "a b", "toy")),
            (
                pieces("pods", "toy", "b"),
                ("--remove-extra-permissions", "--remove-extra-subjects"),
                ("pods", "b", "toy"),
            ),
            # A binding to another role is a new binding: who had the old one is not given the new.
            (pieces("pods", "other", "c"), (), ("pods", "c", "other")),
        ):
            done = world.run("auth", "reconcile", "-f", "-", *flags, stdin=stdin)
            assert (done.code, done.out.count("reconciled")) == (0, 2)
            assert state() == wanted
    finally:
        world.run("delete", "role/toy", "rolebinding/toy")


def test_plugins_are_completed_as_kubectl_completes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = {
        "kubectl-lab": "",
        "kubectl-deep-er_word": "",
        "kubectl_complete-lab": 'echo "got:$*"; printf "alpha\\tthe first\\nbeta\\n_activeHelp_ no\\n:4\\n"',
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    asked = {
        words: call("__complete", "--", *words.split(" ")).out for words in ("la", "deep ", "lab x a", "lab ")
    }
    assert asked == {
        "la": "label\nlab\n",
        "deep ": "er-word\n",
        "lab x a": "alpha\n",
        "lab ": "got:\nalpha\nbeta\n",
    }
    assert call("__complete", "--descriptions", "--", "lab", "a").out == "alpha\tthe first\n"


def test_who_names_a_cluster_behind_the_verb_is_told_the_flag() -> None:
    done = call("cluster", "delete", "lab")
    assert done.code == 1
    hint = "hint: a cluster is chosen by a flag: `minikctl cluster delete --cluster lab`\n"
    assert done.err.startswith(f"error: unexpected arguments: [lab]\n{hint}See 'minikctl cluster delete -h'")
    assert "hint" not in call("cluster", "delete", "a", "b").err


@pytest.mark.parametrize("image", ["registry.k8s.io/serve_hostname", "serve.hostname:1.0"])
def test_a_container_is_named_after_an_image_whose_name_could_be_none(world: World, image: str) -> None:
    args = ("create", "deployment", "hostnames", f"--image={image}", "--dry-run=client", "-o", "json")
    (container,) = json.loads(world.run(*args).out)["spec"]["template"]["spec"]["containers"]
    assert re.fullmatch("serve-hostname-[b-z2-9]{5}", container["name"])
    assert world.run(*args[:-3], "--dry-run=server").code == 0


def test_what_a_drain_could_not_move_in_time_is_told_as_kubectl_tells_it(world: World) -> None:
    assert world.run("create", "deployment", "alone", "--image=minikctl-demo:latest").code == 0
    assert world.run("create", "pdb", "alone", "--selector=app=alone", "--min-available=1").code == 0
    assert world.run("rollout", "status", "deploy/alone", "--timeout=30s").code == 0
    counted = "--for=jsonpath={.status.currentHealthy}=1"
    assert world.run("wait", counted, "pdb/alone", "--timeout=30s").code == 0
    words = ("drain", "minikctl-cli", "--pod-selector=app=alone", "--timeout=1s")
    told = []
    for program in (world.kubectl, world.run):
        done = program(*words)
        told.append((done.code, set(done.out.splitlines()), set(done.err.splitlines())))
        assert world.run("uncordon", "minikctl-cli").code == 0
    assert world.run("delete", "deploy/alone", "pdb/alone").code == 0
    assert told[1] == told[0]
    assert any("global timeout reached: 1s" in line for line in told[1][2])


@pytest.mark.parametrize("verb", catalog.SUMMARIES)
def test_every_verb_has_help_with_two_examples(verb: str) -> None:
    waiting = [main.load(verb)]
    while waiting:
        command = waiting.pop()
        waiting += command.children.values()
        assert command.summary
        assert command.children or len(command.examples) >= 2
        for flag in command.options.FLAGS.values():
            assert flag.help or not flag.names or flag.names == ("--",)
    found = call(verb, "--help")
    assert (found.code, found.err) == (0, "")
    assert "Usage" in found.out


def test_the_overview_lists_every_verb() -> None:
    text = call().out
    assert all(verb in text for verb in catalog.SUMMARIES)
    assert set(catalog.SUMMARIES) == {verb for _, verbs in catalog.GROUPS for verb in verbs}
