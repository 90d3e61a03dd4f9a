# Shared by the scripts: where logs lie, and long steps that show they are alive.
# Sourced by sh with ROOT set; must not need anything beyond a bare Debian.

LC_ALL=C.UTF-8
PYTHONUTF8=1
export LC_ALL PYTHONUTF8
# Libraries are compiled when they are first used, and that is to be kept.
unset PYTHONDONTWRITEBYTECODE
LOGS="$ROOT/var/log"
mkdir -p "$LOGS"

say() { printf '%s\n' "$*"; }

die() {
    printf '\nStopped: %s\n' "$*" >&2
    exit 1
}

# A signal ends the script by its EXIT trap, which a shell killed outright would not run.
end_by_signal() {
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
}
end_by_signal

# step TITLE LOG COMMAND...: run a program with its output in the log, show the elapsed time,
# and on failure the end of the log. Returns the program's status. A signal ends the program
# and all it started; with uninterrupted=yes it may finish first.
step() {
    title=$1 log=$2
    shift 2
    begun=$(date +%s) shown=0
    printf '\n== %s ==\n' "$title" >>"$log"
    if live; then printf '  … %s' "$title"; else say "  … $title"; fi
    if [ "${uninterrupted:-no}" = yes ]; then
        "$@" >>"$log" 2>&1 </dev/null &
    else
        setsid "$@" >>"$log" 2>&1 </dev/null &
    fi
    child=$!
    trap 'stop_step 129' HUP
    trap 'stop_step 130' INT
    trap 'stop_step 143' TERM
    while kill -0 "$child" 2>/dev/null; do
        sleep 0.2
        spent=$(($(date +%s) - begun))
        if live; then
            printf '\r  … %s  %ss ' "$title" "$spent"
        elif [ "$spent" -ge $((shown + 20)) ]; then
            shown=$spent
            say "    $title: ${spent}s so far"
        fi
    done
    status=0
    wait "$child" || status=$?
    end_by_signal
    if live; then printf '\r'; fi
    if [ "$status" -eq 0 ]; then
        say "  ✓ $title ($(($(date +%s) - begun))s)"
    else
        say "  ✗ $title failed after $(($(date +%s) - begun))s. The end of $log:"
        tail -n 25 "$log" | sed 's/^/    | /'
    fi
    return "$status"
}

# A line that counts seconds needs a terminal, and only one step at a time.
live() { [ -t 1 ] && [ "${beside:-no}" = no ]; }

stop_step() { # exit status
    trap '' HUP INT TERM
    if [ "${uninterrupted:-no}" = yes ]; then
        say "  Finishing first: $title"
    else
        kill -s TERM -- "-$child" 2>/dev/null || true
    fi
    wait "$child" || true
    exit "$1"
}

# retried TITLE LOG COMMAND...: a step with three attempts, for what goes over a network.
retried() {
    for pause in 3 10 0; do
        step "$@" && return 0
        [ "$pause" -eq 0 ] && return 1
        say "    once more in $pause s"
        sleep "$pause"
    done
}

# together FUNCTION...: run functions side by side and wait for all. Fails when one failed,
# which then has said why.
together() {
    others=
    for lane in "$@"; do
        (
            end_by_signal
            beside=yes
            "$lane"
        ) &
        others="$others $!"
    done
    trap 'stop_together 129' HUP
    trap 'stop_together 130' INT
    trap 'stop_together 143' TERM
    all_well=0
    for pid in $others; do wait "$pid" || all_well=1; done
    end_by_signal
    return $all_well
}

stop_together() { # exit status
    trap '' HUP INT TERM
    kill -s TERM $others 2>/dev/null || true
    wait
    exit "$1"
}
