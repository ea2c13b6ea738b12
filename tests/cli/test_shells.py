"""Completion as a user has it: in bash, zsh and fish themselves, in a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import shells
from tests.cli.conftest import World

CASES = [
    # what is typed, what is offered; one offer ends up on the line
    ("minikctl rollo", {"rollout"}),
    ("minikctl rollout ", {"history", "pause", "restart", "resume", "status", "undo"}),
    ("minikctl get --show-", {"--show-kind", "--show-labels", "--show-managed-fields"}),
    ("minikctl get pods --output=ya", {"--output=yaml"}),
    ("minikctl get po", {"poddisruptionbudgets", "pods", "podtemplates"}),
    ("minikctl get pods,statefuls", {"pods,statefulsets"}),
    ("minikctl get deploy ", {"web"}),
    ("minikctl get deploy/w", {"deploy/web"}),
    ("minikctl logs deploy/web -c ", {"c", "d"}),
    ("minikctl port-forward svc/web ", {"80", "http"}),
    ("minikctl port-forward svc/web 8080:", {"80", "http"}),
    ("minikctl get pods -n kube-s", {"kube-system"}),
    ("minikctl get --context fore", {"foreign"}),
    ("minikctl get pods -L pod", {"pod-template-hash"}),
    ("minikctl get pods -l app=w", {"app=web"}),
    ("minikctl get deploy -l ap", {"app="}),
    ("minikctl explain deployment.spec.str", {"deployment.spec.strategy"}),
    (
        "minikctl explain pod.spec.containers.env.valueFrom.sec",
        {"pod.spec.containers.env.valueFrom.secretKeyRef"},
    ),
    ("minikctl explain pods.no.such", set()),
    ("minikctl apply -f kept", {"kept.yaml"}),
    ("minikctl get nope ", set()),
    ("minikctl nope ", set()),
]
LOCAL = "8080:"
"""bash shows what comes after it, the others the whole word."""
COMPLAINT = re.compile(r"error|traceback|not found|no such|usage", re.IGNORECASE)


@pytest.fixture(scope="module")
def place(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home directory with a file to complete and a kubeconfig."""
    home = tmp_path_factory.mktemp("shells")
    (home / "kept.yaml").write_text("")
    config = "{apiVersion: v1, kind: Config, contexts: [{name: foreign, context: {cluster: a, user: b}}]}"
    (home / ".kube").mkdir()
    (home / ".kube" / "config").write_text(config)
    return home


@pytest.fixture(scope="module")
def settings(world: World) -> dict[str, str]:
    """Return what tells minikctl of the cluster."""
    return {"MINIKCTL_HOME": str(world.home), "MINIKCTL_CLUSTER": "cli"}


@pytest.fixture(scope="module", params=["bash", "zsh"])
def shell(place: Path, settings: dict[str, str], request: pytest.FixtureRequest) -> Iterator[shells.Shell]:
    """Yield a shell in its terminal."""
    made = shells.Shell(request.param, place, settings)
    try:
        yield made
    finally:
        made.close()


def _words(text: str) -> set[str]:
    return {word.removeprefix(LOCAL) for word in text.split()}


@pytest.mark.parametrize(("typed", "wanted"), CASES)
def test_a_shell_completes_in_its_terminal(shell: shells.Shell, typed: str, wanted: set[str]) -> None:
    line, shown = shell.complete(typed)
    if len(wanted) == 1:
        before = typed[: typed.rindex(" ") + 1]
        assert line.rstrip() == before + next(iter(wanted))
    assert wanted <= _words(line) | _words(shown)
    assert wanted or line.rstrip() == typed.rstrip()
    assert not COMPLAINT.search(shown.replace(typed, "")), shown


@pytest.mark.parametrize(("typed", "wanted"), CASES)
def test_fish_completes(place: Path, settings: dict[str, str], typed: str, wanted: set[str]) -> None:
    found, errors = shells.fish(typed, place, settings)
    assert _words(" ".join(found)) == wanted
    assert errors == ""


@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_without_a_cluster_completion_is_silent(place: Path, tmp_path: Path, name: str) -> None:
    typed = "minikctl get pods "
    shell = shells.Shell(name, place, {"MINIKCTL_HOME": str(tmp_path)})
    try:
        assert shell.complete(typed)[0].rstrip() == typed.rstrip()
        assert "ns" in shell.complete("minikctl n")[1].split()
    finally:
        shell.close()
    assert shells.fish(typed, place, {"MINIKCTL_HOME": str(tmp_path)}) == (set(), "")
    assert not list(tmp_path.iterdir())
