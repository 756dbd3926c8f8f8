# What the benchmark scripts share: servers on core 0, the load on core 1 (SERVER_CORE=1: the other way round), one report
# a line. To be sourced from the root of the repository, with $results, $bin and $work set.

server_core=${SERVER_CORE:-0}
load_core=$((1 - server_core))

ulimit -n "$(ulimit -Hn)"
started=()
finish() {
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

# serve PORT COMMAND..: starts a server on its core; its process is in $pid.
serve() {
  local port=$1; shift
  taskset -c "$server_core" "$@" >"$work/$port.log" 2>&1 &
  pid=$!
  started+=("$pid")
  for _ in $(seq 400); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
    sleep 0.05
  done
  echo "$1 did not listen on $port:" >&2
  cat "$work/$port.log" >&2
  exit 1
}

hostel() { # hostel PORT [FLAGS]: a fresh Hostel, with fresh data
  local port=$1; shift
  serve "$port" "$bin/hostel-bench" --listen "127.0.0.1:$port" --data "$work/data-$port" "$@"
}

# agents_sdk_server PORT: the published Agents SDK on workerd; the process that does the work is in $sdk.
agents_sdk_server() {
  serve "$1" node bench/peer/run.mjs --listen "127.0.0.1:$1" --data "$work/peer-$1"
  for _ in $(seq 100); do
    sdk=$(sed -n 's/.*workerd pid //p' "$work/$1.log")
    [ -n "$sdk" ] && return
    sleep 0.1
  done
  echo "workerd did not start" >&2
  exit 1
}

# load LABEL PORT PID SCENARIO..: one report; on the core of the load unless $core says another
load() {
  local label=$1 port=$2 process=$3; shift 3
  timeout "${limit:-30}" taskset -c "${core:-$load_core}" "$bin/hostel-load" --label "$label" --server "127.0.0.1:$port" --pid "$process" --json "$@" >>"$results" ||
    echo "$label: $* failed" >&2
}

machine() {
  echo "$(uname -sr), $(nproc) cores, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(date -u +%F)"
}
