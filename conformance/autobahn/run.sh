#!/bin/sh
# Runs the Autobahn WebSocket suite against a server that echoes text and
# binary messages, and compares every case with expected.txt.
#
#   run.sh --url ws://127.0.0.1:PORT/path [--cases core|all] [--cache DIR] [--report DIR]
#
# core: the 247 cases of framing, UTF-8 and closing (seconds).
# all:  also limits, performance and compression, 517 in all (minutes).
# Exits with 1 when a case behaves unlike expected.txt, 2 when it cannot run.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
url= cases=core report=
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/hostel-autobahn
while [ $# -gt 0 ]; do
    [ $# -gt 1 ] || { echo "run.sh: $1 needs a value" >&2; exit 2; }
    case $1 in
        --url) url=$2 ;;
        --cases) cases=$2 ;;
        --cache) cache=$2 ;;
        --report) report=$2 ;;
        *) echo "run.sh: unknown option $1" >&2; exit 2 ;;
    esac
    shift 2
done
[ -n "$url" ] || { echo "run.sh: --url ws://HOST:PORT/path is missing" >&2; exit 2; }
case $cases in
    core) excluded='"9.*", "12.*", "13.*"' ;;
    all) excluded= ;;
    *) echo "run.sh: --cases is core or all" >&2; exit 2 ;;
esac

"$here/setup.sh" "$cache" > "${TMPDIR:-/tmp}/autobahn-setup.log" 2>&1 || {
    tail -n 20 "${TMPDIR:-/tmp}/autobahn-setup.log" >&2
    echo "run.sh: the suite could not be set up" >&2
    exit 2
}
if [ -z "$report" ]; then
    report=$(mktemp -d)
    trap 'rm -rf "$report"' EXIT
fi
mkdir -p "$report"
cat > "$report/spec.json" <<END
{"outdir": "$report", "servers": [{"agent": "server", "url": "$url"}],
 "cases": ["*"], "exclude-cases": [$excluded], "exclude-agent-cases": {}}
END
"$cache/wstest" -m fuzzingclient -s "$report/spec.json" -u 0 > "$report/log.txt" 2>&1 || {
    tail -n 20 "$report/log.txt" >&2
    echo "run.sh: the suite broke off" >&2
    exit 2
}
python3 "$here/compare.py" "$report/index.json" "$here/expected.txt" "$cases"
