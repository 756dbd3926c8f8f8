// The first promise, end to end, with unmodified npm clients:
//   node acceptance.mjs --hostel PATH/TO/hostel
//   node acceptance.mjs --serve "COMMAND with {port} and {data}"
// Start the server on a fresh data directory; open, identity, setProjectContext; a second client sees the state;
// kill -9; start again; the first client comes back by itself and a new one finds everything.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, describe, test } from "node:test";
import { parseArgs } from "node:util";
import { fleet, until, within } from "./lib/harness.mjs";
import { fill, freePort, server } from "./lib/process.mjs";
import { loadClient } from "./lib/versions.mjs";

const { values: flags } = parseArgs({ options: { hostel: { type: "string" }, serve: { type: "string" } } });
if (!flags.hostel === !flags.serve) {
  console.error('give one of: --hostel PATH/TO/hostel, --serve "COMMAND with {port} and {data}"');
  process.exit(2);
}
const template = flags.serve ?? `${resolve(flags.hostel)} serve --listen 127.0.0.1:{port} --data {data}`;

const STORIES = [
  { version: "0.32.0", agent: "CoderAgent" },
  { version: "0.32.0", agent: "coderagent" },
  { version: "0.0.43", agent: "CoderAgent" },
  { version: "0.0.43", agent: "coderagent" },
];
const PROJECT = { repoOwner: "a", repoName: "b" };

for (const { version, agent } of STORIES) {
  describe(`agents ${version}, agent: "${agent}"`, () => story(version, agent));
}

async function story(version, agent) {
  const scratch = mkdtempSync(join(tmpdir(), "hostel-acceptance-"));
  const options = { agent, name: "default" };
  const label = `${version} ${agent}`;
  let hostel;
  let clients;
  let first;

  after(async () => {
    clients?.closeAll();
    await hostel?.kill();
    rmSync(scratch, { recursive: true, force: true });
  });

  test(`${label}: opens and becomes ready with identity`, async () => {
    const port = await freePort();
    hostel = server(fill(template, { port, data: join(scratch, "data") }), `http://127.0.0.1:${port}/healthz`);
    await hostel.start();
    const generation = await loadClient(version);
    clients = fleet(generation, { host: `localhost:${port}` });
    first = clients.open(options);
    await first.opened();
    if (!generation.identity) return;
    await within(first.client.ready, "client.ready");
    assert.deepEqual([first.client.agent, first.client.name], ["coder-agent", "default"]);
  });

  test(`${label}: setProjectContext succeeds and a second client sees the state frame`, async () => {
    const second = clients.open(options);
    await second.opened();
    await within(second.client.call("getProjectContext", []), "getProjectContext of the second client");
    const answer = await first.call("setProjectContext", [PROJECT]);
    assert.notEqual(answer?.success, false, JSON.stringify(answer));
    const seen = () => second.states.some(({ state, source }) => source === "server" && holds(state, PROJECT));
    await until(seen, "the state frame at the second client");
    second.client.close();
  });

  test(`${label}: getProjectContext returns it`, async () => {
    assert.ok(holds(await first.call("getProjectContext", []), PROJECT));
    assert.deepEqual(await first.call("getMessages", []), []);
  });

  test(`${label}: after kill -9 and a restart it is still there, for the old client and a new one`, async () => {
    const opens = first.opens;
    await hostel.kill();
    await hostel.start();
    const fresh = clients.open(options);
    assert.ok(holds(await fresh.call("getProjectContext", []), PROJECT), "a new client");
    await until(() => first.opens > opens, "the first client to come back by itself", 15_000);
    assert.ok(holds(await first.call("getProjectContext", []), PROJECT), "the client that was connected before");
  });
}

/** True when `wanted`'s keys and values occur together somewhere in `value`. */
function holds(value, wanted) {
  if (value === null || typeof value !== "object") return false;
  if (Object.entries(wanted).every(([key, expected]) => value[key] === expected)) return true;
  return Object.values(value).some((inner) => holds(inner, wanted));
}
