# Runs one command inside a sandbox, with nothing but a POSIX shell and what busybox has. See docs/design/environments.md.
#   $1 id   $2 seconds   $3 bytes of output to keep   $4 directory   $5 size of the text   $6 finished ids to forget
#   text on stdin: `export` lines and the command. Its length is given because some transports never deliver end of file.
# The first delivery of an id runs it; a repeated one only waits for the result and collects it.
# Answers "COOPERBENCH <exit code> <timed out> <bytes written> <head> <tail>" and the bytes of head and tail;
# or "COOPERBENCH lost" when the process that watched the command was killed.
trap '' HUP
state=/tmp/.cooperbench
here=$state/$1
half=$(($3 / 2))
mkdir -p $state
for old in $6; do rm -rf "$state/$old"; done

# busybox's `wc -c <file` reads all of it
size() { stat -c %s "$1" 2>/dev/null || wc -c <"$1"; }

# Output is a file, so that background children hold nobody up. What outgrows the limit is cut from time to time.
trim() {
    [ "$(size "$here/out")" -gt $((4 * $3 + 4000000)) ] || return
    [ -e "$here/head" ] || head -c "$half" "$here/out" >"$here/head"
    size "$here/out" >>"$here/cut"
    tail -c "$half" "$here/out" >"$here/kept"
    : >"$here/out"
}

# Processes of this command: its session, and whoever inherited its marker.
kill_all() {
    leader=$(cat "$here/pid" 2>/dev/null)
    for round in 1 2 3 4 5 6 7 8 9 10; do
        [ -n "$leader" ] && kill -9 "-$leader" "$leader" 2>/dev/null
        left=$(grep -l "COOPERBENCH_EXEC=$1" /proc/[0-9]*/environ 2>/dev/null | sed 's|/proc/||;s|/environ||')
        [ -z "$left" ] && break
        kill -9 $left 2>/dev/null
        [ "$round" = 1 ] || sleep 0.05 2>/dev/null || sleep 1
    done
}

watch() {
    elapsed=0
    while [ "$elapsed" -lt "$2" ]; do
        sleep 1
        elapsed=$((elapsed + 1))
        trim "$@"
    done
    : >"$here/late"
    kill_all "$1"
}

finish() {
    total=$(size "$here/out")
    for part in $(cat "$here/cut" 2>/dev/null); do total=$((total + part)); done
    if [ -e "$here/head" ]; then
        cat "$here/kept" "$here/out" | tail -c "$half" >"$here/tail"
        : >"$here/out"
    elif [ "$total" -gt "$3" ]; then
        head -c "$half" "$here/out" >"$here/head"
        tail -c "$half" "$here/out" >"$here/tail"
        : >"$here/out"
    else
        ln "$here/out" "$here/head" 2>/dev/null || cp "$here/out" "$here/head"
        : >"$here/tail"
    fi
    # Without a free process nothing can be measured; no result is better than a wrong one.
    [ -n "$total" ] || exit 1
    echo "$code $late $total" >"$here/rc.new"
    mv "$here/rc.new" "$here/rc"
}

if mkdir "$here" 2>/dev/null; then
    echo $$ >"$here/supervisor"
    head -c "$5" >"$here/command"
    shell=sh
    command -v bash >/dev/null 2>&1 && shell=bash
    # Text as an argument gives the better error messages; the kernel refuses arguments of 128 KiB.
    run='exec "$1" "$0/command"'
    [ "$5" -lt 100000 ] && run='exec "$1" -c "$(cat "$0/command")"'
    session=
    command -v setsid >/dev/null 2>&1 && session=setsid
    : >"$here/out"
    watch "$@" </dev/null >/dev/null 2>&1 &
    watcher=$!
    # In the foreground: `command &` in a shell without job control leaves SIGINT ignored in everything it starts.
    (
        trap - HUP
        cd "$4" || exit 127
        COOPERBENCH_EXEC=$1
        export COOPERBENCH_EXEC
        exec $session $shell -c 'echo $$ >"$0/pid"; '"$run" "$here" $shell
    ) </dev/null >>"$here/out" 2>&1
    code=$?
    late=0
    if [ -e "$here/late" ]; then
        wait $watcher
        code=124
        late=1
    else
        kill $watcher 2>/dev/null
    fi
    finish "$@"
fi

missing=0
while [ ! -e "$here/rc" ]; do
    if ! kill -0 "$(cat "$here/supervisor" 2>/dev/null)" 2>/dev/null; then
        missing=$((missing + 1))
        if [ $missing -gt 5 ] && [ ! -e "$here/rc" ]; then
            echo "COOPERBENCH lost"
            [ -e "$here/out" ] && tail -c "$half" "$here/out"
            exit 0
        fi
    fi
    sleep 0.2 2>/dev/null || sleep 1
done
for part in head tail; do [ -e "$here/$part" ] || : >"$here/$part"; done
echo "COOPERBENCH $(cat "$here/rc") $(size "$here/head") $(size "$here/tail")"
cat "$here/head" "$here/tail"
