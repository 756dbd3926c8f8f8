// Replays recorded client frames against a server and compares its answers with the recorded ones.
//   node replay.mjs --url http://127.0.0.1:PORT [--transcripts DIR] [--only TEXT]... [--all] [--verbose]
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { canonicaliser, madeUpNames } from "./lib/canonical.mjs";
import { compare, withTexts } from "./lib/diff.mjs";
import { excuse, isSurplus, readExpectations, withoutMoves } from "./lib/expected.mjs";
import { generation } from "./lib/generations.mjs";
import { readScript } from "./lib/script.mjs";
import { play } from "./lib/session.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const { values: flags } = parseArgs({
  options: {
    url: { type: "string" },
    transcripts: { type: "string", default: join(here, "transcripts") },
    expected: { type: "string", default: join(here, "expected.json") },
    skip: { type: "string", default: join(here, "skip.json") },
    only: { type: "string", multiple: true, default: [] },
    all: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
    jobs: { type: "string", default: "4" },
    "frame-timeout": { type: "string", default: "2000" },
    // Ours holds back the refusals of an address that is refused often, the recorded one its last packets: ten seconds.
    "close-timeout": { type: "string", default: "12000" },
  },
});
if (!flags.url) {
  console.error("usage: node replay.mjs --url http://127.0.0.1:PORT [--transcripts DIR] [--only TEXT] [--all] [--verbose]");
  process.exit(2);
}

const timeouts = { frame: Number(flags["frame-timeout"]), close: Number(flags["close-timeout"]), quiet: 40, settle: 300 };
const entries = existsSync(flags.expected) ? readExpectations(flags.expected) : [];
const skips = existsSync(flags.skip) ? JSON.parse(readFileSync(flags.skip, "utf8")).skip : [];
const run = Date.now().toString(36).slice(-5);
const tally = { pass: 0, fail: 0, skipped: 0, intended: 0 };
const played = [];

await reachable(flags.url);
await all(transcripts());
report();

function transcripts() {
  const files = readdirSync(flags.transcripts).filter((name) => name.endsWith(".jsonl")).sort(newestFirst);
  return files.filter((name) => !flags.only.length || flags.only.some((part) => name.includes(part)));
}

function newestFirst(a, b) {
  return b.localeCompare(a, "en", { numeric: true });
}

// Transcripts use instances of their own, so several can be played at once; most of the time is waiting.
async function all(names) {
  const queue = [...names];
  const worker = async () => {
    while (queue.length) await one(queue.shift());
  };
  await Promise.all(Array.from({ length: Number(flags.jobs) }, worker));
}

async function one(name) {
  const script = readScript(join(flags.transcripts, name));
  const is = (pattern, text) => pattern !== undefined && new RegExp(`^(?:${pattern})$`).test(text);
  const skip = skips.find(({ scenario, transcripts }) => is(scenario, script.scenario) || is(transcripts, script.id));
  if (skip && !flags.all && !flags.only.length) {
    tally.skipped++;
    console.log(`skip ${script.id} (${skip.reason})`);
    return;
  }
  played.push(script.id);
  const { moved, rest } = withoutMoves(entries, script.id, await replayed(script, played.length));
  const differences = [...moved, ...rest];
  const unexpected = rest.filter((d) => !(d.reason = excuse(entries, script.id, d)?.reason));
  const intended = differences.length - unexpected.length;
  tally.intended += intended;
  tally[unexpected.length ? "fail" : "pass"]++;
  const answers = script.connections.reduce((n, c) => n + c.expected.length, 0);
  const exchanges = script.steps.filter((step) => step.do === "http").length;
  const counts = `${answers} frames and events, ${exchanges} HTTP answers, ${intended} intended differences`;
  console.log(`${unexpected.length ? "not ok" : "ok"} ${script.id} (${counts}, ${unexpected.length} unexpected)`);
  for (const difference of flags.verbose ? differences : unexpected) show(difference);
}

async function replayed(script, serial) {
  const names = madeUpNames(script);
  const fresh = names.map((name, n) => [name, `r${run}${serial}x${n}`]);
  const rename = (url) => fresh.reduce((done, [from, to]) => done.replaceAll(from, to), url);
  const recorded = canonicaliser({ names: names.map((name, n) => [name, `<name${n}>`]), hosts: recordedHosts(script) });
  const answered = canonicaliser({
    names: fresh.map(([, ours], n) => [ours, `<name${n}>`]),
    hosts: [[new URL(flags.url).host, "<host>"]],
  });
  const shared = generation(script.version);
  const surplus = (label, text) => isSurplus(entries, script.id, `conn ${label}`, text);
  const relevant = {
    recorded: (events) => withTexts(events, recorded, shared),
    replayed: (events, label) => withTexts(events, answered, shared).filter(({ text }) => !surplus(label, text)),
  };
  await play(script, { url: flags.url, rename, timeouts, relevant });
  return compare(script, recorded, answered, shared);
}

function recordedHosts(script) {
  const text = JSON.stringify(script.steps.map((step) => step.expected ?? ""));
  return [...new Set(text.match(/127\.0\.0\.1:\d+/g))].map((host) => [host, "<host>"]);
}

function show({ where, note, kind, expected, actual, reason }) {
  console.log(`  ${reason ? "intended" : "DIFFERENT"} ${kind} · ${where}${note ? ` · "${note}"` : ""}`);
  if (expected !== undefined) console.log(`    recorded: ${expected}`);
  if (actual !== undefined) console.log(`    answered: ${actual}`);
  if (reason) console.log(`    because:  ${reason}`);
}

function report() {
  for (const entry of entries) {
    const concerned = played.some((id) => new RegExp(`^(?:${entry.transcripts})$`).test(id));
    if (flags.verbose && concerned && !entry.used) console.log(`note: unused entry: ${entry.reason}`);
  }
  console.log(`# intended differences ${tally.intended}`);
  console.log(`# skipped ${tally.skipped}`);
  console.log(`# pass ${tally.pass}`);
  console.log(`# fail ${tally.fail}`);
  process.exit(tally.fail || !played.length ? 1 : 0);
}

async function reachable(url) {
  try {
    await fetch(url);
  } catch (error) {
    console.error(`cannot reach ${url}: ${error.cause?.message ?? error.message}. Start the server first.`);
    process.exit(2);
  }
}
