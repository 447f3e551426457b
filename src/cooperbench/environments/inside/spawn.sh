# Runs one program of `Environment.spawn` and stays with it. Sent as text behind `kill.sh`; needs what busybox has.
#   from the harness:  nonce, id, size of the text, size of the input or `-`, directory; the text; the input;
#                      with `-`: any number of "<size>" lines with as many bytes, and "0" for the end of the input
#   to the harness:    what the program writes to its stdout; then NUL, nonce, exit code, size of the end of its stderr, and that:
#                      with NUL, nonce, NUL behind what came before the program's end, if a background child holds stderr open
# The end of what the harness sends, and SIGHUP, mean that nobody is interested any more: the program is killed.
trap '' HUP
IFS=' ' read -r nonce id size given directory
here=/tmp/.cooperbench/$id
mkdir -p "$here" || exit 1
echo $$ >"$here/supervisor"
exec 3<&0

# busybox's `wc -c <file` reads all of it
size_of() { stat -c %s "$1" 2>/dev/null || wc -c <"$1"; }

# Copy exactly $1 bytes of what the harness sends to the file $2. A pipe returns what it has, so a piece may be short.
take() {
    have=0
    : >"$2"
    while [ "$have" -lt "$1" ]; do
        piece=$(($1 - have))
        [ "$piece" -gt 65536 ] && piece=65536
        before=$have
        dd bs="$piece" count=1 2>/dev/null >>"$2"
        have=$(size_of "$2")
        [ "$have" -gt "$before" ] || return 1
    done
}

hang_up() {
    trap '' HUP TERM  # the shell below ends this one as soon as the program is dead, whose children may still be alive
    kill -0 $$ && : >"$here/hung-up"  # else it is not the connection that broke: the program has killed this shell
    kill_tree "$id"
    exit
}

listen() {
    trap hang_up HUP
    while IFS=' ' read -r size; do
        [ "$size" = 0 ] && exec 5>&- && continue
        take "$size" "$here/piece" || break
        cat "$here/piece" >&5
    done
    hang_up
}

kept=16418 # bytes of stderr that are sent: 16 KiB, and the mark
# Two files of at most 4 MiB hold the end of stderr, whatever is written, and without waiting for its end.
collect() {
    while :; do
        dd bs=16384 count=256 of="$here/err" 2>/dev/null
        [ -s "$here/err" ] || break
        [ -e "$here/ended" ] && has_mark && : >"$here/err.end"
        if [ "$(size_of "$here/err")" -lt $kept ]; then # 256 short pieces, or what came before the end
            cat "$here/err.old" "$here/err" 2>/dev/null | tail -c $kept >"$here/err.new"
            mv "$here/err.new" "$here/err"
        fi
        mv "$here/err" "$here/err.old"
    done
    : >"$here/err.end"
}

# `collect` may put one file in the place of the other meanwhile: the newer one is opened first.
collected() { { cat "$here/err.old"; cat <&7; } 7<"$here/err" || cat "$here/err.old"; } 2>/dev/null

has_mark() { collected | grep -q "$nonce"; }

report() {
    # On a busy machine it takes its time until all is collected, and a background child may hold stderr open: what the program
    # wrote is there when a mark is that follows it. Whoever writes the mark waits for a reader, and keeps the end away from it.
    marker=
    round=0
    while [ ! -e "$here/err.end" ] && [ $round -lt 100 ] && kill -0 $collector 2>/dev/null; do
        if [ $round = 1 ]; then
            (exec 3<&- 5<&- 6<&- 7>"$here/errors" && printf '\000%s\000' "$nonce" >&7 && exec sleep 60) >/dev/null 2>&1 &
            marker=$!
        fi
        [ "$marker" ] && has_mark && break
        sleep 0.03 2>/dev/null || sleep 1
        round=$((round + 1))
    done
    size=0
    collected | tail -c $kept >"$here/stderr" && size=$(size_of "$here/stderr")
    [ -z "$marker" ] || kill $marker 2>/dev/null
    printf '\000%s %s %s\n' "$nonce" "$code" "${size:-0}"
    [ "${size:-0}" = 0 ] || cat "$here/stderr"
}

take "$size" "$here/command" || exit 1
shell=sh
command -v bash >/dev/null 2>&1 && shell=bash
# Text as an argument gives the better error messages; the kernel refuses arguments of 128 KiB.
run='exec "$1" "$0/command"'
[ "$size" -lt 100000 ] && run='exec "$1" -c "$(cat "$0/command")"'
session=
command -v setsid >/dev/null 2>&1 && session=setsid
input=/dev/null
case $given in
-) mkfifo "$here/in" && input=$here/in ;;
0) ;;
*) take "$given" "$here/in" || exit 1; input=$here/in ;;
esac
mkfifo "$here/errors"

# Through `cat`, because a stdout that is a socket cannot be opened as /dev/stdout, and because it keeps the report in its place.
{
    [ "$given" = - ] && exec 5<>"$input"
    exec 6<"$input"
    # By `exec`: a shell keeps copies of what it redirects for a function, and an open copy keeps the end of file away.
    (exec <"$here/errors" >/dev/null 3<&- 5<&- 6<&- && collect) &
    collector=$!
    (exec <&3 >/dev/null 2>&1 3<&- 6<&- && listen) &
    listener=$!
    echo $listener >"$here/listener"
    exec 5<&-
    # In the foreground: `command &` in a shell without job control leaves SIGINT ignored in everything it starts.
    (
        trap - HUP
        cd "$directory" || exit 127
        COOPERBENCH_EXEC=$id
        export COOPERBENCH_EXEC
        exec $session $shell -c 'echo $$ >"$0/pid"; '"$run" "$here" $shell
    ) <&6 2>"$here/errors" 3<&- 6<&-
    code=$?
    : >"$here/ended"
    [ -e "$here/pid" ] || echo none >"$here/pid"
    kill $listener 2>/dev/null
    report
} | {
    cat
    # The above may have been killed.
    read -r listener <"$here/listener" && kill "$listener"
} 2>/dev/null
