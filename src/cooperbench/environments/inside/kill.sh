# Defines `kill_tree ID`, which ends every process of an execution: its session, whoever inherited its marker, and their descendants.
# Needs a POSIX shell, /proc, and `grep`. Works on an execution that has only just begun: it waits for the process id.
kill_tree() {
    for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        leader=
        [ -e "/tmp/.cooperbench/$1/pid" ] && read -r leader <"/tmp/.cooperbench/$1/pid"
        family=" $leader $(grep -l "COOPERBENCH_EXEC=$1" /proc/[0-9]*/environ 2>/dev/null | sed 's|/proc/||;s|/environ||' | tr '\n' ' ')"
        alive=
        grown=yes
        while [ "$grown" ]; do
            grown=
            for stat in /proc/[0-9]*/stat; do
                { read -r line <"$stat"; } 2>/dev/null || continue
                relate "${line%% *}" ${line##*) }
            done
        done
        [ -z "$alive" ] && [ "$leader" ] && return
        kill -9 $alive 2>/dev/null
        [ "$alive" ] && [ "$round" = 1 ] || sleep 0.05 2>/dev/null || sleep 1
    done
}

# Take a process into `family` and `alive` if it belongs to them: pid, state, parent, group, session.
relate() {
    case $2 in Z | X) return ;; esac
    case " $alive " in *" $1 "*) return ;; esac
    for known in "$1" "$3" "$5"; do
        case $family in *" $known "*)
            alive="$alive $1"
            family="$family$1 "
            grown=yes
            return
            ;;
        esac
    done
}
