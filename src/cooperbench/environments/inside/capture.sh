# Writes the work tree in the current folder into a fresh object database, whatever became of the repository in it.
#   $1 size in KiB from which a file is left out
#   $2 bytes of standard input: entries for `git update-index --index-info -z`, the base to compare with; may be 0
# Runs where nothing in the sandbox reaches it. It may read the work tree, but not change it.
# Answers "<tree> <size> <size> <size>" in a line, so many bytes of skipped paths, of repositories whose files are taken as work and of
# ignored paths (each ended by NUL), and a pack of everything in the tree.
# The agent's .git is not used: not its configuration, hooks, filters, attributes, index or objects. It is only asked which
# ignored files it tracks, because those were handed in on purpose.
# Each program that this starts is a millisecond or more of processor time for each agent, so the shell does what it can itself.
huge=$1
nothing=4b825dc642cb6eb9a060e54bf8d69288fbee4904
command -v git >/dev/null || { echo "the image has no git" >&2; exit 1; }
for word in $(export -p); do
    name=${word%%=*}
    case $name in GIT_*[!A-Za-z0-9_]*) ;; GIT_*) unset "$name" ;; esac
done
umask 077
# The supervisor's folder comes first: on the local backend it is in memory.
for place in /tmp/.cooperbench "${TMPDIR:-/tmp}" /tmp; do
    [ -w "$place" ] && work=$(mktemp -d "$place/cooperbench-tree.XXXXXX") && break
    work=
done
[ -n "$work" ] || { echo "no folder to work in" >&2; exit 1; }
trap 'cd / && rm -rf "$work"' EXIT
export LC_ALL=C HOME="$work" XDG_CONFIG_HOME="$work" GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_ATTR_NOSYSTEM=1

# What `git init --bare` makes, with settings under which bytes go in as they are. A "big" file goes into a pack, which is one file for
# all of them, in place of a file and a folder to make and to remove for each object.
prepare() {
    mkdir -p "$work/git/objects" "$work/git/refs" "$work/git/info" || exit 1
    echo 'ref: refs/heads/main' >"$work/git/HEAD"
    echo '[core]
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
    bigFileThreshold = 1
[pack]
    compression = 1
    window = 0
[gc]
    auto = 0' >"$work/git/config"
    # The strongest of all attribute files.
    echo '* -text -filter -ident !eol !working-tree-encoding' >"$work/git/info/attributes"
}

# The agent's own repositories, whose configuration and hooks have no say. Their files may be pipes and devices, which never end.
limit=
command -v timeout >/dev/null && limit="timeout -s KILL 10"
theirs() (
    ulimit -v 4194304 2>/dev/null
    exec $limit git -c core.fsmonitor=false -c core.hooksPath=/dev/null -c safe.directory='*' -c protocol.allow=never "$@" </dev/null
)

# Git reads these wherever they are, whatever they are. Where one is a pipe or a device, take a copy of the work tree without it.
leave_endless_files() {
    endless=$(find . \( -name .gitignore -o -name .gitattributes -o -name .gitmodules \) ! -type f ! -type d ! -type l 2>/dev/null | head -n 1)
    [ -n "$endless" ] || return 0
    mkdir "$work/copy" || exit 1
    cp -a . "$work/copy" 2>/dev/null
    cd "$work/copy" || exit 1
    find . ! -type f ! -type d ! -type l -exec rm -f {} +
}

# Whether the repository at $1 is that of a work tree of the one in the current folder, or shares commits with it: copies that agents leave
# are no work.
is_copy() {
    if [ -f "$1" ]; then
        place=
        read -r place <"$1"
        case $place in "gitdir: "*.git/worktrees/*) return 0 ;; esac
    fi
    commits="$(theirs --git-dir="$1" rev-parse --quiet --verify HEAD^0) $(theirs --git-dir="$1" for-each-ref --count=20 --format='%(objectname)')"
    for commit in $commits; do
        theirs cat-file -e "$commit" && return 0
    done
    commit=$(theirs rev-parse --quiet --verify HEAD^0) && theirs --git-dir="$1" cat-file -e "$commit"
} 2>/dev/null

newline=$(printf '\001') # what stands for one in lists of lines

# Repositories inside the current folder, copies of the one that it holds, and files that are too large or special, into $1.repositories, $1.copies
# and $1.huge
look_around() {
    find . -name .git -prune -print0 -o -type f -size "+${huge}k" -print0 -o ! -type f ! -type d ! -type l -print0 \
        -o -type d -name objects -exec test -f {}/../HEAD \; -exec test -d {}/../refs \; -prune -print0 2>/dev/null |
        tr '\0\n' '\n\001' >"$1.found"
    : >"$1.repositories"
    : >"$1.copies"
    : >"$1.huge"
    while IFS= read -r path; do
        path=${path#./}
        case $path in
        .git) ;;
        *$newline*) printf '%s\n' "${path%/.git}" >>"$1.huge" ;;
        */.git)
            kind=repositories
            is_copy "$path" && kind=copies
            printf '%s\n' "${path%/.git}" >>"$1.$kind"
            ;;
        objects | */objects)
            if [ ! -d "$path" ]; then
                printf '%s\n' "$path" >>"$1.huge"
            elif is_copy "${path%/objects}"; then # a bare one
                printf '%s\n' "${path%/objects}" >>"$1.copies"
            fi
            ;;
        *) printf '%s\n' "$path" >>"$1.huge" ;;
        esac
    done <"$1.found"
}

# Ignored files that the agent's own repository tracks, into $1
tracked_though_ignored() {
    theirs ls-files -z --cached --ignored --exclude-standard >"$1" 2>/dev/null || : >"$1"
}

# Files that `git sparse-checkout` took out of the work tree, as lines into $1. Nobody deleted them.
taken_out() {
    : >"$1"
    [ -s .git/info/sparse-checkout ] || return 0
    theirs ls-files -z -t 2>/dev/null | tr '\0\n' '\n\001' | sed -n 's/^S //p' | while IFS= read -r path; do
        [ -e "$path" ] || [ -L "$path" ] || printf '%s\n' "$path"
    done >"$1"
}

# The tree of one repository's work tree (the current folder) into $1.tree. Repositories inside it are folders like others.
take() {
    index=$1
    look_around "$index"
    tracked_though_ignored "$index.forced"
    taken_out "$index.out"

    export GIT_DIR="$work/git" GIT_WORK_TREE="$PWD" GIT_INDEX_FILE="$index"
    if [ "$index" = "$work/index" ] && [ -s "$work/base" ]; then
        git update-index -z --index-info <"$work/base" || return 1
        if [ -s "$index.out" ]; then
            git ls-files -z | tr '\0\n' '\n\001' | sort - "$index.out" | uniq -d | tr '\n\001' '\0\n' |
                git update-index -z --assume-unchanged --stdin
        fi
    fi
    set -- .
    while IFS= read -r path; do
        if [ -z "$(git ls-files -- ":(literal)$path" | head -n 1)" ]; then
            set -- "$@" ":(exclude,literal)$path"
            printf '%s\0' "$prefix$path/" >>"$work/skipped"
        else # a part of the base, whatever lies in it
            printf '%s\n' "$path" >>"$index.repositories"
        fi
    done <"$index.copies"
    [ ! -s "$index.repositories" ] || sort -o "$index.repositories" "$index.repositories"
    while IFS= read -r path; do set -- "$@" ":(exclude,literal)$path"; done <"$index.repositories"
    while IFS= read -r path; do
        case $path in
        *$newline*) set -- "$@" ":(exclude,glob)$(printf '%s' "$path" | tr '\001*[\\' '????')" ;;
        *)
            git update-index --assume-unchanged -- "$path" 2>/dev/null
            set -- "$@" ":(exclude,literal)$path"
            ;;
        esac
        printf '%s\0' "$prefix$path" >>"$work/skipped"
    done <"$index.huge"
    git add --all --ignore-errors -- "$@" 2>"$index.errors"
    [ $? -gt 1 ] && cat "$index.errors" >&2 && return 1
    [ ! -s "$index.errors" ] || sed -n -e "s|^error: open(\"\(.*\)\"): .*|\1|p" \
        -e "s|^warning: could not open directory '\(.*\)/': .*|\1|p" -e t \
        -e "s|^warning: could not open directory '\(.*\)|\1|p" "$index.errors" | # git cuts a message about too long a path
        while IFS= read -r path; do printf '%s\0' "$prefix$path" >>"$work/skipped"; done
    [ ! -s "$index.forced" ] || xargs -0 -n 1 git update-index --add -- <"$index.forced" 2>/dev/null
    [ -n "$prefix" ] || git ls-files -z --others --ignored --exclude-standard --directory -- "$@" 2>/dev/null |
        head -c 65536 >"$work/ignored"

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
        git ls-files -z -- ":(literal)$path" >"$index.replaced"
        git update-index -z --force-remove --stdin <"$index.replaced"
        read -r tree <"$index.$number.tree"
        [ "$tree" = "$nothing" ] || git read-tree --prefix="$path/" "$tree" || return 1
        [ -s "$path/.git/HEAD" ] || { [ -f "$path/.git" ] && [ -s "$path/.git" ]; } || continue
        [ "$tree" = "$nothing" ] || [ -s "$index.replaced" ] || printf '%s\0' "$prefix$path/" >>"$work/foreign"
    done <"$index.repositories"
    git write-tree --missing-ok >"$index.tree"
}

# busybox's `wc -c <file` reads all of it; that of macOS writes spaces before the number
size() { if [ -s "$1" ]; then stat -c %s "$1" 2>/dev/null || echo $(($(wc -c <"$1"))); else echo 0; fi; }

[ "$2" -eq 0 ] || head -c "$2" >"$work/base"
prefix=
: >"$work/skipped"
: >"$work/foreign"
: >"$work/ignored"
prepare
leave_endless_files
take "$work/index" || exit 1
read -r tree <"$work/index.tree"
# Neither a file nor a repository is left, which says that the whole is gone rather than that each file was removed.
[ "$2" -gt 0 ] && [ "$tree" = "$nothing" ] && [ ! -e .git ] && exit 67
echo "$tree $(size "$work/skipped") $(size "$work/foreign") $(size "$work/ignored")"
[ ! -s "$work/skipped" ] || cat "$work/skipped"
[ ! -s "$work/foreign" ] || cat "$work/foreign"
[ ! -s "$work/ignored" ] || cat "$work/ignored"
export GIT_DIR="$work/git"
git cat-file --batch-all-objects --batch-check='%(objectname)' >"$work/objects" || exit 1
git pack-objects -q --stdout <"$work/objects" || exit 1
