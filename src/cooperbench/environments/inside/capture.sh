# Writes a work tree into a fresh object database, whatever became of the repository in it.
#   $1 work tree   $2 scratch folder: in `base` (entries for `git update-index --index-info -z`, may be absent);
#   out `tree`, `pack`, `errors`, `skipped`   $3 size in KiB from which a file is left out
# The agent's .git is not used: not its configuration, hooks, filters, attributes, index or objects. It is only asked which
# ignored files it tracks, because those were handed in on purpose.
root=$1
work=$2
huge=$3
for name in $(env | sed -n 's/^\(GIT_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$name"; done
export LC_ALL=C HOME="$work" XDG_CONFIG_HOME="$work" GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_ATTR_NOSYSTEM=1

prepare() {
    git init --quiet --bare --template= "$work/git" || exit 1
    cat >"$work/git/config" <<'END'
[core]
    repositoryformatversion = 0
    bare = false
    fileMode = true
    symlinks = true
    autocrlf = false
    safecrlf = false
    ignoreCase = false
    precomposeUnicode = false
    fsmonitor = false
    untrackedCache = false
    excludesFile = /dev/null
    attributesFile = /dev/null
    hooksPath = /dev/null
    looseCompression = 0
[pack]
    compression = 1
    window = 0
[gc]
    auto = 0
END
    mkdir -p "$work/git/info"
    # The strongest of all attribute files: bytes go in as they are.
    echo '* -text -filter -ident !eol !working-tree-encoding' >"$work/git/info/attributes"
}

# Ignored files that the agent's own repository tracks, into $1
tracked_though_ignored() {
    git -c core.fsmonitor=false -c core.hooksPath=/dev/null -c safe.directory='*' \
        ls-files -z --cached --ignored --exclude-standard >"$1" 2>/dev/null || : >"$1"
}

# The tree of one repository's work tree (the current folder) into $1.tree. Repositories inside it are folders like others.
take() {
    index=$1
    find . -mindepth 2 -name .git -prune -print 2>/dev/null | sed 's|/\.git$||; s|^\./||' | sort >"$index.repositories"
    find . -name .git -prune -o -type f -size "+${huge}k" -print 2>/dev/null | sed 's|^\./||' >"$index.huge"
    tracked_though_ignored "$index.forced"

    export GIT_DIR="$work/git" GIT_WORK_TREE="$PWD" GIT_INDEX_FILE="$index"
    if [ "$index" = "$work/index" ] && [ -e "$work/base" ]; then
        git update-index -z --index-info <"$work/base" || return 1
    fi
    set -- .
    while IFS= read -r path; do set -- "$@" ":(exclude,literal)$path"; done <"$index.repositories"
    while IFS= read -r path; do
        git update-index --assume-unchanged -- "$path" 2>/dev/null
        set -- "$@" ":(exclude,literal)$path"
        printf '%s\0' "$prefix$path" >>"$work/skipped"
    done <"$index.huge"
    git add --all --ignore-errors -- "$@" 2>"$index.errors"
    [ $? -gt 1 ] && cat "$index.errors" >&2 && return 1
    sed -n -e "s|^error: open(\"\(.*\)\"): .*|\1|p" -e "s|^warning: could not open directory '\(.*\)/': .*|\1|p" \
        "$index.errors" | while IFS= read -r path; do printf '%s\0' "$prefix$path" >>"$work/skipped"; done
    xargs -0 -n 1 git update-index --add --remove -- <"$index.forced" 2>/dev/null

    before=
    number=0
    while IFS= read -r path; do
        case $path/ in "$before"/*) [ -n "$before" ] && continue ;; esac
        before=$path
        number=$((number + 1))
        (
            unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
            prefix=$prefix$path/
            cd "$path" && take "$index.$number"
        ) || return 1
        git ls-files -z -- ":(literal)$path" | git update-index -z --force-remove --stdin
        [ "$(cat "$index.$number.tree")" = 4b825dc642cb6eb9a060e54bf8d69288fbee4904 ] ||
            git read-tree --prefix="$path/" "$(cat "$index.$number.tree")" || return 1
    done <"$index.repositories"
    git write-tree --missing-ok >"$index.tree"
}

prefix=
: >"$work/skipped"
cd "$root" || exit 1
command -v git >/dev/null || { echo "the image has no git" >&2; exit 1; }
prepare
take "$work/index" || exit 1
mv "$work/index.tree" "$work/tree"
cd "$work/git/objects" || exit 1
find . -type f -path './??/*' | sed 's|^\./\(..\)/|\1|' >"$work/objects"
GIT_DIR="$work/git" git pack-objects -q --stdout <"$work/objects" >"$work/pack"
