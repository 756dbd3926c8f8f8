#!/usr/bin/env bash
# Measures conversations: what a streamed chunk costs, many streams at once, memory, and resuming. Prints a sentence a scenario.
#
#   bench/chat.sh            everything, in about two minutes
#   bench/chat.sh --quick    smaller
#
# Servers (and the bare reader) run on core 0, the load with its provider on core 1. Reports are kept in target/chat.jsonl.
set -euo pipefail
cd "$(dirname "$0")/.."

answers=10 streams=1000 conversations=1000
for flag in "$@"; do
  case $flag in
    --quick) answers=2 streams=200 conversations=200 ;;
    *) echo "unknown flag $flag; see the head of bench/chat.sh" >&2; exit 2 ;;
  esac
done

cargo build --release --quiet -p hostel-bench
bin=${CARGO_TARGET_DIR:-target}/release
work=$(mktemp -d)
results=${CARGO_TARGET_DIR:-target}/chat.jsonl
: >"$results"
. bench/lib.sh
limit=120

chat() { # chat PORT [FLAGS]: a fresh Hostel with a chat agent; the provider of the load is at PORT + 100
  local port=$1; shift
  serve "$port" "$bin/hostel-chat-bench" --listen "127.0.0.1:$port" --provider "127.0.0.1:$((port + 100))" --data "$work/data-$port" "$@"
}
# measure LABEL PORT PID SCENARIO..: one report, printed and kept
measure() {
  local provider=$(($2 + 100))
  load "$@" --provider "127.0.0.1:$provider"
}

machine
echo "load average $(cut -d' ' -f1-3 /proc/loadavg)"
chat 9720; ours=$pid
for pace in 0 200 1000; do
  # At a pace, one answer takes seconds by itself.
  flags=(--pace-us "$pace" --answers "$((pace ? 1 : answers))")
  measure "bare reader" 9720 "$ours" --floor chat chunks "${flags[@]}"
  measure hostel 9720 "$ours" chat chunks "${flags[@]}"
done
chat 9721; measure hostel 9721 "$pid" chat streams --streams "$streams" --pace-ms 50
chat 9722; measure hostel 9722 "$pid" chat streams --streams "$streams" --pace-ms 200 --chunks 50
chat 9723 --idle-after-ms 200; measure "hostel, asleep" 9723 "$pid" chat memory --conversations "$conversations"
chat 9724 --idle-after-ms 600000; measure "hostel, awake" 9724 "$pid" chat memory --conversations "$conversations"
chat 9725; measure hostel 9725 "$pid" chat resume
echo "load average $(cut -d' ' -f1-3 /proc/loadavg)"
"$bin/hostel-load" table "$results"
