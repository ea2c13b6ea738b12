"""``completion``: the scripts that teach a shell to complete; completions/ holds the same text.

The scripts call ``minikctl __complete -- WORD…``, which prints a candidate a line, and ``:files`` for file names.
"""

from __future__ import annotations

from minikctl.cli.commands import Command
from minikctl.cli.flags import BadArguments, Options, rest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from minikctl.cli.session import Session

BASH = r"""# bash completion for minikctl: source <(minikctl completion bash)
_minikctl() {
    local line="${COMP_LINE:0:COMP_POINT}" words=() found=() candidate current prefix
    read -ra words <<<"$line"
    [[ "$line" == *[[:space:]] ]] && words+=("")
    current="${words[${#words[@]} - 1]}"
    # Readline splits words at = and : and wants only what comes after.
    prefix="${current%"${current##*[=:]}"}"
    COMPREPLY=()
    while IFS= read -r candidate; do
        if [[ "$candidate" == ":files" ]]; then
            compopt -o default 2>/dev/null
            continue
        fi
        COMPREPLY+=("${candidate#"$prefix"}")
    done < <("${words[0]}" __complete -- "${words[@]:1}" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" == *[=/:] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -F _minikctl minikctl
"""

ZSH = r"""#compdef minikctl
# zsh completion for minikctl: source <(minikctl completion zsh)
_minikctl() {
    local line candidate text
    local -a plain shown open opened
    while IFS= read -r line; do
        if [[ "$line" == ":files" ]]; then
            _files
            continue
        fi
        candidate="${line%%$'\t'*}"
        text="${line#*$'\t'}"
        [[ "$text" == "$line" ]] && text="$candidate" || text="$candidate  -- $text"
        if [[ "$candidate" == *[=/:] ]]; then
            open+=("$candidate"); opened+=("$text")
        else
            plain+=("$candidate"); shown+=("$text")
        fi
    done < <("${words[1]}" __complete --descriptions -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    (( ${#plain} )) && compadd -l -d shown -- "${plain[@]}"
    (( ${#open} )) && compadd -l -S '' -d opened -- "${open[@]}"
    return 0
}
if [[ "${funcstack[1]}" == "_minikctl" ]]; then
    _minikctl "$@"
else
    compdef _minikctl minikctl
fi
"""

FISH = r"""# fish completion for minikctl: minikctl completion fish | source
function __minikctl_complete
    set -l words (commandline -opc) (commandline -ct)
    for candidate in ($words[1] __complete --descriptions -- $words[2..-1] 2>/dev/null)
        if test "$candidate" = ":files"
            __fish_complete_path (commandline -ct)
        else
            printf '%s\n' $candidate
        end
    end
end
complete -c minikctl -f -a '(__minikctl_complete)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


class CompletionOptions(Options):
    """What ``completion`` was asked."""

    shells: tuple[str, ...] = rest("SHELL", default=(), complete="bash zsh fish")


def run(options: CompletionOptions, session: Session) -> int:
    """Print the completion script of a shell; return the exit code."""
    if not options.shells:
        raise BadArguments("Shell not specified.")
    if len(options.shells) > 1:
        raise BadArguments("Too many arguments. Expected only the shell type.")
    if options.shells[0] not in SCRIPTS:
        raise BadArguments(f'Unsupported shell type "{options.shells[0]}".')
    session.io.out.write(SCRIPTS[options.shells[0]])
    return 0


COMMANDS = {
    "completion": Command(
        "Output shell completion code for bash, zsh or fish.",
        CompletionOptions,
        run,
        usage="SHELL",
        examples=(
            ("In this bash", "source <(minikctl completion bash)"),
            ("In every fish", "minikctl completion fish > ~/.config/fish/completions/minikctl.fish"),
        ),
    )
}
