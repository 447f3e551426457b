# Connects the `coop` calls in a sandbox with the harness, over this process's stdin and stdout. Needs a POSIX shell and the
# programs of busybox. `bridge.py` sends it as text and describes the conversation; see also docs/design/mailbox.md.
#   to the harness:  hello <folder>, ready, call <id> <size> <size> + arguments + input, got <id>, dropped <id>
#   from it:         program <name> <size> + bytes, answer <id> <exit code> <size> <size> + stdout + stderr, ready
# Every part is counted, because `read` stops at the end of a line but most programs read ahead.
# Each program started here costs a millisecond or more of processor time, for each sandbox or each call.
trap '' INT
LC_ALL=C
export LC_ALL
umask 022

# The first place where files can be written and run; /tmp may be mounted noexec.
for place in "${TMPDIR:-/tmp}" /tmp /var/tmp /dev/shm "$HOME"; do
    home=$place/.cooperbench/bridge
    mkdir -p "$home/bin" "$home/calls" "$home/taken" 2>/dev/null || continue
    probe=$home/probe
    printf '#!/bin/sh\n' >"$probe" 2>/dev/null && chmod 755 "$probe" && "$probe" 2>/dev/null && break
    home=
done
[ -n "$home" ] || { echo "lost no folder in which programs can run"; exit 1; }

# An earlier relay may be dead or cut off; take over what it left.
if [ -e "$home/pids" ]; then kill -9 $(cat "$home/pids") 2>/dev/null; fi
echo $$ >"$home/pids"
# Replace it atomically: a call that finds no pipe takes the bridge for closed.
fresh=$home/requests
[ -e "$fresh" ] && fresh=$home/requests.new && rm -f "$fresh"
(umask 0 && mkfifo "$fresh")
[ "$fresh" = "$home/requests" ] || mv -f "$fresh" "$home/requests"
chmod 1777 "$home/calls" "$home/taken"
exec 4<>"$home/requests"

# busybox's `wc -c <file` reads the whole file; that of macOS writes spaces before the number
size() { stat -c %s "$@" 2>/dev/null || for file in "$@"; do echo $(($(wc -c <"$file"))); done; }

send() {
    [ -e "$home/taken/$1/arguments" ] || return
    # shellcheck disable=SC2046
    printf 'call %s %s %s\n' "$1" $(size "$home/taken/$1/arguments" "$home/taken/$1/input")
    cat "$home/taken/$1/arguments" "$home/taken/$1/input"
}

# Copy exactly $1 bytes from stdin to the file $2. A pipe returns what it has, so a piece may be short.
take() {
    have=0
    : >"$2"
    while [ "$have" -lt "$1" ]; do
        piece=$(($1 - have))
        [ "$piece" -gt 65536 ] && piece=65536
        before=$have
        dd bs="$piece" count=1 2>/dev/null >>"$2"
        have=$(size "$2")
        [ "$have" -gt "$before" ] || exit 1
    done
}

announce() {
    for old in "$home"/taken/*; do send "${old##*/}"; done
    for old in "$home"/calls/*; do [ -e "$old/request" ] && echo "call ${old##*/}" >&4; done
    while read -r what id <&4; do
        case $what in
        call) mv "$home/calls/$id/request" "$home/taken/$id" 2>/dev/null && send "$id" ;;
        *) printf '%s %s\n' "$what" "$id" ;;
        esac
    done
}

# The harness is gone or has closed the bridge. Not every transport delivers end of file; some send SIGHUP.
hang_up() {
    trap '' HUP
    read -r owner rest <"$home/pids" && [ "$owner" = $$ ] || exit 0
    rm -f "$home/requests"
    [ -n "$announcer" ] && kill "$announcer" 2>/dev/null
    for call in "$home"/calls/*; do
        [ -p "$call/done" ] && echo closed 1<>"$call/done"
    done
    rm -f "$home/pids"
    exit 0
}

announcer=
trap hang_up HUP
printf 'hello %s\n' "$home"
while read -r what id code out err; do
    case $what in
    program)
        take "$code" "$home/bin/$id.new"
        chmod 755 "$home/bin/$id.new"
        mv "$home/bin/$id.new" "$home/bin/$id"
        ;;
    ready)
        echo ready
        announce &
        announcer=$!
        echo "$$ $announcer" >"$home/pids"
        ;;
    answer)
        take "$out" "$home/out"
        take "$err" "$home/err"
        rm -rf "${home:?}/taken/$id"
        # Open it for reading too, so that a killed call does not block this.
        if mv "$home/out" "$home/err" "$home/calls/$id/" 2>/dev/null; then
            echo "$code" 1<>"$home/calls/$id/done"
        else
            echo "dropped $id" >&4
        fi
        ;;
    esac
done

hang_up
