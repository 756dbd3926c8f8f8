#!/usr/bin/env bash
# Measures what durable writes cost, beside the published Agents SDK, in one run, and prints a table.
#
#   bench/durable.sh             1, 16, 256 and 10,000 agents, one and 16 calls in flight; history on and off; recovery
#   bench/durable.sh --quick     shorter, in about three minutes
#   bench/durable.sh --no-peer   without the Agents SDK (it needs Node and npm packages)
#   bench/durable.sh --million   also 1,000,000 agents, each written once, and a restart; takes long and about 30 GB
#
# Servers run on core 0, the load on core 1 (SERVER_CORE=1: the other way round); the disk alone is measured from both.
# Reports are kept in target/durable.jsonl. BENCH_DIR chooses the disk.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=3 seconds=3 peer=yes million=no
for flag in "$@"; do
  case $flag in
    --quick) rounds=2 seconds=2 ;;
    --no-peer) peer=no ;;
    --million) million=yes ;;
    *) echo "unknown flag $flag; see the head of bench/durable.sh" >&2; exit 2 ;;
  esac
done

cargo build --release --quiet -p hostel-bench
bin=${CARGO_TARGET_DIR:-target}/release
if [ "$peer" = yes ] && [ ! -d bench/peer/node_modules ]; then
  (cd bench/peer && npm ci --silent)
fi
work=$(mktemp -d -p "${BENCH_DIR:-${CARGO_TARGET_DIR:-target}}")
work=$(realpath "$work")
results=${CARGO_TARGET_DIR:-target}/durable.jsonl
: >"$results"
. bench/lib.sh

# increments LABEL PORT PID AGENTS PIPELINE
increments() {
  limit=120 load "$1" "$2" "$3" increments --connections "$4" --agents "$4" --pipeline "$5" --seconds "$seconds"
}

hostel 9721; ours=$pid
hostel 9722 --no-history; forgetful=$pid
[ "$peer" = no ] || agents_sdk_server 9723

for _ in $(seq "$rounds"); do
  # The interrupts of a disk may all come to one core: a thread on the other is then woken across cores.
  core=1 load "this disk, core 1" 9721 "$ours" disk --directory "$work" --seconds "$seconds"
  core=0 load "this disk, core 0" 9721 "$ours" disk --directory "$work" --seconds "$seconds"
  for server in "hostel 9721 $ours" "Agents_SDK 9723 ${sdk:-}"; do
    set -- $server
    [ -n "${3:-}" ] || continue
    load "${1/_/ }" "$2" "$3" calls --connections 1 --agents 1 --seconds "$seconds"
    for agents in 1 16 256; do
      for pipeline in 1 16; do increments "${1/_/ }" "$2" "$3" "$agents" "$pipeline"; done
    done
  done
  increments "hostel, no history" 9722 "$forgetful" 256 1
  increments "hostel, no history" 9722 "$forgetful" 256 16
done
# Ten thousand agents last: their files stay open for a while.
for pipeline in 1 16; do
  increments hostel 9721 "$ours" 10000 "$pipeline"
  [ "$peer" = no ] || increments "Agents SDK" 9723 "$sdk" 10000 "$pipeline"
done

# recovery: kills a server that has not checkpointed for a while, and waits until it serves again.
hostel 9724 --checkpoint-bytes 10000000000 --checkpoint-after-ms 100000000; victim=$pid
seconds=15 increments "hostel, to be killed" 9724 "$victim" 256 16
kill -9 "$victim"
wait "$victim" 2>/dev/null || true
megabytes=$(($(du -sm --apparent-size "$work/data-9724/journal" | cut -f1)))
begun=$(date +%s%N)
serve 9724 "$bin/hostel-bench" --listen 127.0.0.1:9724 --data "$work/data-9724"
until curl -sf http://127.0.0.1:9724/healthz >/dev/null; do sleep 0.01; done
took=$((($(date +%s%N) - begun) / 1000000))

machine
echo
"$bin/hostel-load" table "$results"
echo
echo "recovery: $megabytes MB of journal files, $took ms from the start of the process to its first answer"

if [ "$million" = yes ]; then
  hostel 9725 --idle-after-ms 200
  limit=7200 load hostel 9725 "$pid" agents --count 1000000 --at-once 256 --settle 10
  tail -1 "$results"
  kill -TERM "$pid"; wait "$pid" || true
  begun=$(date +%s%N); ls "$work/data-9725/agents/counter-agent" >/dev/null
  echo "listing the directory of a class: $((($(date +%s%N) - begun) / 1000000)) ms"
  begun=$(date +%s%N)
  serve 9725 "$bin/hostel-bench" --listen 127.0.0.1:9725 --data "$work/data-9725"
  echo "restart with 1,000,000 agents: $((($(date +%s%N) - begun) / 1000000)) ms to listening"
  begun=$(date +%s%N); find "$work/data-9725/agents" -name '*.db' | wc -l
  echo "counted in $((($(date +%s%N) - begun) / 1000000)) ms"
fi
