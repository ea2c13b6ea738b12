# bash completion for minikctl: source <(minikctl completion bash)
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
