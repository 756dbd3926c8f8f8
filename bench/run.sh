#!/usr/bin/env bash
# Measures Hostel beside a bare floor and the published Agents SDK, in one run, and prints a table.
#
#   bench/run.sh             everything, in under six minutes
#   bench/run.sh --quick     shorter and smaller, in about two minutes
#   bench/run.sh --full      with 100,000 agents instead of 20,000; each waits for the disk, so this takes long
#   bench/run.sh --no-peer   without the Agents SDK (it needs Node and npm packages)
#
# Servers run on core 0, the load on core 1. Reports are kept in target/bench.jsonl.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=3 seconds=2 agents=20000 idle=10000 wakes=500 peer=yes
for flag in "$@"; do
  case $flag in
    --quick) rounds=1 seconds=1 agents=2000 idle=2000 wakes=100 ;;
    --full) agents=100000 ;;
    --no-peer) peer=no ;;
    *) echo "unknown flag $flag; see the head of bench/run.sh" >&2; exit 2 ;;
  esac
done

cargo build --release --quiet -p hostel-bench
bin=${CARGO_TARGET_DIR:-target}/release
if [ "$peer" = yes ] && [ ! -d bench/peer/node_modules ]; then
  (cd bench/peer && npm ci --silent)
fi

work=$(mktemp -d)
results=${CARGO_TARGET_DIR:-target}/bench.jsonl
: >"$results"
. bench/lib.sh

serve 9701 "$bin/hostel-floor" --listen 127.0.0.1:9701 --write-batching off; floor=$pid
serve 9702 "$bin/hostel-floor" --listen 127.0.0.1:9702; batching=$pid
serve 9703 "$bin/hostel-floor" --listen 127.0.0.1:9703 --mode fan; fan=$pid
hostel 9704; ours=$pid
if [ "$peer" = yes ]; then
  agents_sdk_server 9705
fi
# agents_sdk SCENARIO..: the same on the peer, if there is one
agents_sdk() { [ "$peer" = no ] || load "Agents SDK" 9705 "$sdk" "$@"; }

for _ in $(seq "$rounds"); do
  load floor 9701 "$floor" --floor calls --seconds "$seconds"
  load "floor, batching" 9702 "$batching" --floor calls --seconds "$seconds"
  load hostel 9704 "$ours" calls --seconds "$seconds"
  agents_sdk calls --seconds "$seconds"
done
for _ in $(seq "$rounds"); do
  load "floor, batching" 9702 "$batching" --floor calls --pipeline 16 --seconds "$seconds"
  load hostel 9704 "$ours" calls --pipeline 16 --seconds "$seconds"
  agents_sdk calls --pipeline 16 --seconds "$seconds"
done
for _ in $(seq "$rounds"); do
  load hostel 9704 "$ours" increments --connections 256 --agents 256 --seconds "$seconds"
  agents_sdk increments --connections 256 --agents 256 --seconds "$seconds"
done
for _ in $(seq "$rounds"); do
  load "floor, batching" 9703 "$fan" --floor fanout --seconds "$seconds"
  load hostel 9704 "$ours" fanout --seconds "$seconds"
  agents_sdk fanout --seconds "$seconds"
done
for _ in $(seq "$rounds"); do
  load floor 9701 "$floor" --floor connects --seconds "$seconds"
  load hostel 9704 "$ours" connects --seconds "$seconds"
  agents_sdk connects --seconds "$seconds"
done

hostel 9706 --idle-after-ms 200; sleepy=$pid
load hostel 9706 "$sleepy" wake --agents "$wakes"
load hostel 9706 "$sleepy" wake --agents "$wakes" --hibernated
# The SDK's runtime lets an object sleep after ten seconds.
limit=90 agents_sdk wake --agents "$wakes" --hibernated --settle 13

hostel 9707 --idle-after-ms 200
limit=90 load hostel 9707 "$pid" idle --connections "$idle"
hostel 9708 --idle-after-ms 200
limit=90 load hostel 9708 "$pid" idle --connections "$idle" --agents "$idle"
hostel 9709 --idle-after-ms 200
limit=1200 load hostel 9709 "$pid" agents --count "$agents"

machine
echo
"$bin/hostel-load" table "$results"
