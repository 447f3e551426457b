# The tree that was handed in, and the tree of it that is judged. Needs $here, $repo, $scratch, $base and `say`.

# Git without hooks and programs of the repository's configuration.
own_git() { git -C "$repo" -c safe.directory='*' -c core.hooksPath=/dev/null -c core.fsmonitor=false -c core.quotePath=false "$@"; }

handed_in() { # FILE: reads it into the repository's objects and sets $tree
    [ -s "$1" ] || return 1
    IFS=' ' read -r tree skipped foreign ignored <"$1"
    case $tree in *[!0-9a-f]* | '') return 1 ;; esac
    case $skipped:$foreign:$ignored in *[!0-9:]* | :* | *: | *::*) return 1 ;; esac
    start=$((${#tree} + ${#skipped} + ${#foreign} + ${#ignored} + 5 + skipped + foreign + ignored))
    tail -c "+$start" "$1" | own_git unpack-objects -q 2>/dev/null || return 1
    own_git cat-file -e "$tree^{tree}" 2>/dev/null
}

without_tests() { # TREE: prints the tree in which whatever decides about tests has the base's content again
    export GIT_INDEX_FILE="$scratch/index"
    own_git read-tree "$1" || return 1
    own_git diff-tree -r --no-renames "$base" "$1" >"$scratch/changes" || return 1
    : >"$scratch/restored"
    while IFS='	' read -r entry path; do
        # old mode, new mode, old blob, new blob
        set -- $entry
        left_out "$path" "$2" "$4" || continue
        printf '%s %s\t%s\n' "${1#:}" "$3" "$path" >>"$scratch/restored"
        say "left out: $path" >&2
    done <"$scratch/changes"
    own_git update-index --replace --index-info <"$scratch/restored" || return 1
    own_git write-tree
    unset GIT_INDEX_FILE
}

left_out() { # PATH MODE BLOB: true if a change of it is not work
    name=${1##*/}
    folders=/${1%"$name"}
    case $2 in
    160000) return 0 ;; # a submodule
    120000) case $(own_git cat-file blob "$3") in /* | *..*) return 0 ;; esac ;;
    esac
    case $1 in \"*) return 0 ;; esac # control characters in a name
    while IFS= read -r hidden; do
        case $hidden in "$1" | "$1"/*) return 0 ;; esac
        case $1 in "$hidden"/*) return 0 ;; esac
    done <"$here/hidden"
    case $folders in */node_modules/* | */site-packages/* | */.cargo/* | */.mvn/* | */__mocks__/*) return 0 ;; esac
    case $1 in .gitattributes | */.gitattributes | .gitmodules | */.gitmodules | setup.py | hatch_build.py) return 0 ;; esac
    printf '%s\n' "$1" | tr / '\n' | grep -Eiq -f "$here/metadata_names" && return 0
    printf '%s\n' "$1" | tr / '\n' | grep -Eq -f "$here/startup_names" && return 0
    printf '%s\n' "$name" | grep -Eq -f "$here/configuration_names" && return 0
    is_test "$1" "$3"
}

is_test() { # PATH BLOB; $name and $folders are set
    case $name in *.rs)
        case $folders in */src/*) return 1 ;; */tests/*) return 0 ;; *) return 1 ;; esac ;;
    esac
    case $folders in */__tests__/* | */__snapshots__/* | */testdata/*) return 0 ;; esac
    case $name in
    test_*.py | *_test.py)
        # Sources may be named like tests; deleted tests have no content.
        case $folders in */tests/*) return 0 ;; esac
        case $2 in *[!0]*) ;; *) return 0 ;; esac
        own_git cat-file blob "$2" |
            grep -Eq '^[[:space:]]*(async[[:space:]]+)?(def[[:space:]]+test|class[[:space:]]+Test)' && return 0
        ;;
    *.java | *.kt)
        case $folders in
        */src/main/*) ;;
        *) printf '%s\n' "$name" | grep -Eq '[a-z0-9]Tests?\.(java|kt)$|[a-z0-9]IT\.java$' && return 0 ;;
        esac
        case $folders in */src/test/*) return 0 ;; *) return 1 ;; esac
        ;;
    *) printf '%s\n' "$name" | grep -Eq -f "$here/test_names" && return 0 ;;
    esac
    case $folders in */src/test/*) case $folders in /src/test/*) return 0 ;; esac ;; esac
    case $name in *.go) return 1 ;; esac
    case $folders in /test/* | */tests/*) return 0 ;; esac
    return 1
}
