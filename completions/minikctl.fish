# fish completion for minikctl: minikctl completion fish | source
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
