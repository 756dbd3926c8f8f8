// MCP's own server as an MCP server of a project: named in the workspace's .mcp.json, started in the sandbox after a yes to its
// entry, called after a yes to the call, and still there after kill -9.
//
//   node project.mjs --hostel PATH/TO/hostel

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { freePort, server } from "../clients/lib/process.mjs";

const { values } = parseArgs({ options: { hostel: { type: "string" } } });
const modules = fileURLToPath(new URL("node_modules", import.meta.url));
const everything = join(modules, "@modelcontextprotocol/server-everything/dist/index.js");
// Not below /tmp, which is another one in the sandbox.
const folder = mkdtempSync("/var/tmp/hostel-mcp-project-");
const url = new URL(`http://127.0.0.1:${await freePort()}`);
const file = join(folder, "hostel.toml");
writeFileSync(file, `
[models.main]
provider = "scripted"
script = """
on echo *
  call mcp__everything__echo {"message": "$1"}
then
  say It says: $result
"""

[mcp]

[coder.commands]
read = [${JSON.stringify(modules)}, ${JSON.stringify(process.execPath)}]
`);
const hostel = server([resolve(values.hostel), "serve", "--config", file, "--listen", url.host, "--data", join(folder, "data")], url);
const at = (path) => new URL(`/agents/coder/project/${path}`, url);
const post = async (path, body) => (await fetch(at(path), { method: "POST", body: JSON.stringify(body) })).json();
const said = async () => JSON.stringify(await (await fetch(at("get-messages"))).json());

/** Says something that asks, says yes, and waits for what comes of it; what was shown with the question. */
async function allowed(message, outcome) {
  const asked = await post("chat?stream=false", { message });
  assert.equal(asked.state, "suspended", JSON.stringify(asked));
  const { approvals } = await (await fetch(at("approvals"))).json();
  assert.equal(approvals.length, 1, JSON.stringify(approvals));
  assert.equal((await post(`approvals/${approvals[0].id}`, { approve: true })).accepted, true);
  for (const end = Date.now() + 60_000; !(await said()).includes(outcome); ) {
    assert.ok(Date.now() < end, await said());
    await new Promise((done) => setTimeout(done, 50));
  }
  return JSON.stringify(approvals[0]);
}

try {
  await hostel.start();
  const entry = { command: process.execPath, args: [everything, "stdio"] };
  await allowed(`/write .mcp.json\n${JSON.stringify({ mcpServers: { everything: entry } })}`, "Done: added .mcp.json");
  const shown = await allowed("/mcp everything", "everything: ready");
  assert.ok(shown.includes(everything), shown);
  await allowed("echo hello", "It says: Echo: hello");
  await hostel.kill();
  await hostel.start();
  await allowed("echo again", "It says: Echo: again");
  console.log("ok: MCP's own server, named by a project, in the sandbox");
} catch (error) {
  console.error(hostel.log());
  throw error;
} finally {
  await hostel.kill();
  rmSync(folder, { recursive: true, force: true });
}
