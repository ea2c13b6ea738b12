#compdef minikctl
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
