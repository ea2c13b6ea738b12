"""``completion``: shell scripts, and the quick answers that they ask for.

The scripts are static (completions/ holds them); they call ``minikctl __complete WORD…``, which prints one candidate
a line and never an error.
"""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from minikctl import errors
from minikctl.cli import flags
from minikctl.cli.session import Session

SHELLS = ("bash", "zsh", "fish")
TIMEOUT = "1s"

BASH = """# bash completion for minikctl
_minikctl() {
    local current="${COMP_WORDS[COMP_CWORD]}" words=() line
    words=("${COMP_WORDS[@]:1:COMP_CWORD-1}" "$current")
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("$line")
    done < <("${COMP_WORDS[0]}" __complete -- "${words[@]}" 2>/dev/null)
    [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" == */ ]] && compopt -o nospace
    return 0
}
complete -o default -F _minikctl minikctl
"""

ZSH = """#compdef minikctl
# zsh completion for minikctl
_minikctl() {
    local -a found
    found=("${(@f)$("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    found=(${found:#})
    if (( ${#found} )); then
        compadd -Q -- "${found[@]}"
    else
        _files
    fi
}
if [ "$funcstack[1]" = "_minikctl" ]; then
    _minikctl "$@"
else
    compdef _minikctl minikctl
fi
"""

FISH = """# fish completion for minikctl
function __minikctl_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] __complete -- $words[2..-1] 2>/dev/null
end
complete -c minikctl -f -a '(__minikctl_complete)'
complete -c minikctl -n '__fish_seen_argument -s f -l filename' -F
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}

TAKES_OBJECTS = {"annotate", "delete", "describe", "get", "label", "patch", "scale", "wait", "expose"}
TAKES_PODS = {"logs", "exec"}


def script(ctx: typer.Context, shell: Annotated[str, typer.Argument(metavar="bash|zsh|fish")]) -> None:
    """Print the completion script of a shell.

    Examples:  source <(minikctl completion bash)     minikctl completion fish > ~/.config/fish/completions/minikctl.fish
    """
    if shell not in SCRIPTS:
        raise errors.UsageError(f'error: Unsupported shell type "{shell}": it is one of {", ".join(SHELLS)}.')
    flags.of(ctx).io.out.write(SCRIPTS[shell])
    raise typer.Exit(0)


def complete(ctx: typer.Context, words: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Print the candidates for the last word; nothing when there are none or the server does not answer."""
    session = flags.of(ctx)
    try:
        found = candidates(list(words or [""]), session)
    except Exception:  # noqa: BLE001 - completion is silent, whatever happens
        found = []
    last = (words or [""])[-1]
    for candidate in sorted(set(found)):
        if candidate.startswith(last):
            session.io.say(candidate)
    raise typer.Exit(0)


VERBS = {"completion": flags.single(script), "__complete": flags.single(complete)}


def candidates(words: list[str], session: Session) -> list[str]:
    """Return what may stand in the place of the last word."""
    from minikctl.cli import main

    before, last = words[:-1], words[-1]
    _take_globals(before, session)
    previous = before[-1] if before else ""
    if previous in ("-n", "--namespace"):
        return _names("namespaces", session)
    if previous == "--cluster":
        from minikctl.client import home

        return home.list_clusters()
    if previous == "--context":
        return _contexts()
    plain = _positional(before)
    if not plain:
        return list(main.COMMANDS) if not last.startswith("-") else _flags("", [])
    verb, rest = plain[0], plain[1:]
    if last.startswith("-"):
        return _flags(verb, rest)
    if previous in ("-c", "--container") and rest:
        return _containers(rest[0], session)
    return _arguments(verb, rest, last, session)


def _arguments(verb: str, rest: list[str], last: str, session: Session) -> list[str]:
    if verb in TAKES_OBJECTS:
        return _objects(rest, last, session)
    if verb in TAKES_PODS:
        if not rest:
            return [*_objects([], last, session)] if "/" in last else _names("pods", session)
        return _containers(rest[0], session) if verb == "logs" else []
    if verb == "rollout" and rest:
        return [f"deployment/{name}" for name in _names("deployments.apps", session)]
    if verb == "completion":
        return list(SHELLS)
    return _subcommands(verb, rest)


def _objects(rest: list[str], last: str, session: Session) -> list[str]:
    if "/" in last:
        kind = last.partition("/")[0]
        return [f"{kind}/{name}" for name in _names(kind, session)]
    if rest:
        return [] if "/" in rest[0] else [n for n in _names(rest[0], session) if n not in rest[1:]]
    return [resource.name for resource in session.discovery.all() if "get" in resource.verbs] + ["all"]


def _names(kind: str, session: Session) -> list[str]:
    resource = session.discovery.find(kind.split(",")[0])
    path = resource.path(session.namespace)
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
    answer = session.client.request("GET", path, query={"limit": 500}, headers={"Accept": accept}).json()
    return [item["metadata"]["name"] for item in answer.get("items") or ()]


def _containers(pod: str, session: Session) -> list[str]:
    from minikctl.cli import pods

    return pods.containers(pods.named(pod, session)[0])


def _contexts() -> list[str]:
    from minikctl.client import kubeconfig

    config = kubeconfig.load_merged(kubeconfig.default_paths())
    return [entry["name"] for entry in config["contexts"]]


def _command(verb: str, rest: list[str]) -> Any:
    from minikctl.cli import main

    if not verb:
        return main.root()
    if verb not in main.COMMANDS:
        return None
    found: Any = main.load(verb, main.COMMANDS[verb])
    for word in rest:
        found = getattr(found, "commands", {}).get(word, found)
    return found


def _flags(verb: str, rest: list[str]) -> list[str]:
    command = _command(verb, rest)
    params = command.params if command is not None else []
    return [name for param in params for name in param.opts if name.startswith("--")] + ["--help"]


def _subcommands(verb: str, rest: list[str]) -> list[str]:
    return list(getattr(_command(verb, rest), "commands", {}))


def _take_globals(words: list[str], session: Session) -> None:
    """Heed --namespace, --context, --kubeconfig and --cluster of the line that is being completed."""
    names = {"-n": "namespace", "--namespace": "namespace"}
    names |= {f"--{name}": name for name in ("context", "kubeconfig", "cluster")}
    for number, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag in names:
            chosen = value if equals else (words[number + 1] if number + 1 < len(words) else "")
            setattr(session.settings, names[flag], os.path.expanduser(chosen))
    session.settings.request_timeout = TIMEOUT


WITH_VALUE = {
    "-n", "--namespace", "--context", "--kubeconfig", "--cluster", "-o", "--output", "-l", "--selector", "-f",
    "--filename", "-c", "--container", "--field-selector", "--sort-by", "--for", "--timeout", "--tail", "-L",
}  # fmt: skip


def _positional(words: list[str]) -> list[str]:
    found, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = word in WITH_VALUE
        else:
            found.append(word)
    return found
