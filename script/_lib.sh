# Shared by the scripts: where the project lies, and long steps that show they are alive.
# Sourced by sh with ROOT set; must not need anything beyond a bare Debian.

LC_ALL=C.UTF-8
PYTHONUTF8=1
export LC_ALL PYTHONUTF8
LOGS="$ROOT/var/log"
mkdir -p "$LOGS"

say() { printf '%s\n' "$*"; }

die() {
    printf '\nStopped: %s\n' "$*" >&2
    exit 1
}

# step TITLE LOGFILE COMMAND...: run the command with its output in the log, show the
# elapsed time, and on failure show the end of the log. Returns the command's status.
step() {
    title=$1 log=$2
    shift 2
    begun=$(date +%s)
    printf '\n== %s ==\n' "$title" >>"$log"
    if [ -t 1 ]; then printf '  … %s' "$title"; else say "  … $title"; fi
    "$@" >>"$log" 2>&1 </dev/null &
    child=$!
    trap 'kill "$child" 2>/dev/null; printf "\n"; exit 130' INT TERM
    shown=0
    while kill -0 "$child" 2>/dev/null; do
        sleep 0.2
        spent=$(($(date +%s) - begun))
        if [ -t 1 ]; then
            printf '\r  … %s  %ss ' "$title" "$spent"
        elif [ "$spent" -ge $((shown + 20)) ]; then
            shown=$spent
            say "    $title: ${spent}s so far"
        fi
    done
    status=0
    wait "$child" || status=$?
    trap - INT TERM
    spent=$(($(date +%s) - begun))
    if [ -t 1 ]; then printf '\r'; fi
    if [ "$status" -eq 0 ]; then
        say "  ✓ $title (${spent}s)"
    else
        say "  ✗ $title failed after ${spent}s. The end of $log:"
        tail -n 25 "$log" | sed 's/^/    | /'
    fi
    return "$status"
}

# retry COMMAND...: three attempts, for what goes over a network.
retry() {
    for pause in 3 10 0; do
        "$@" && return 0
        [ "$pause" -eq 0 ] && return 1
        echo "failed; once more in $pause s"
        sleep "$pause"
    done
}
