// Drives published npm clients against a server that serves the recorded application:
//   node run.mjs --url http://127.0.0.1:PORT [--agent CounterAgent] [--versions 0.0.43,0.32.0] [--deviations FILE]
// Output is TAP; the last lines count. Exit status is not 0 when a test failed that is not an expected deviation.
import { dirname, join } from "node:path";
import { run } from "node:test";
import { tap } from "node:test/reporters";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { VERSIONS } from "./lib/versions.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const { values: flags } = parseArgs({
  options: {
    url: { type: "string" },
    agent: { type: "string", default: "CounterAgent" },
    versions: { type: "string", default: Object.keys(VERSIONS).join(",") },
    deviations: { type: "string", default: join(here, "deviations.json") },
  },
});
const unknown = flags.versions.split(",").filter((version) => !VERSIONS[version]);
if (!flags.url || unknown.length) {
  if (unknown.length) console.error(`unknown version: ${unknown}; installed: ${Object.keys(VERSIONS).join(", ")}`);
  console.error("usage: node run.mjs --url http://127.0.0.1:PORT [--agent CounterAgent] [--versions a,b] [--deviations FILE]");
  process.exit(2);
}

process.env.HOSTEL_URL = flags.url;
process.env.HOSTEL_AGENT = flags.agent;
process.env.HOSTEL_VERSIONS = flags.versions;
process.env.HOSTEL_DEVIATIONS = flags.deviations;
// The client of one test may still be reconnecting while others run: the process ends when the tests do.
const stream = run({ files: [join(here, "suite.mjs")], concurrency: 1 });
stream.on("test:fail", ({ todo }) => {
  if (todo === undefined || todo === false) process.exitCode = 1;
});
stream.compose(tap).pipe(process.stdout);
