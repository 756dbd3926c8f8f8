// A chat agent of hostel.toml with the tools of MCP's own server, as a program, over streamable HTTP and over the transport of 2024
// behind a key: called after a yes, and without one once that was said for good, also by a server that was started anew.
//
//   node chat.mjs --hostel PATH/TO/hostel

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request as forward } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { freePort, server } from "../clients/lib/process.mjs";
import { listening } from "./lib/listening.mjs";

const { values } = parseArgs({ options: { hostel: { type: "string" } } });
const everything = fileURLToPath(new URL("node_modules/@modelcontextprotocol/server-everything/dist/index.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "hostel-mcp-"));
const url = new URL(`http://127.0.0.1:${await freePort()}`);
const file = join(folder, "hostel.toml");
const KEY = "mcp-key-0123456789-0123456789";
process.env.HOSTEL_SECRET_MCP = KEY;

// The same server over HTTP, behind a door that wants a key.
const [behind, old, door] = [await freePort(), await freePort(), await freePort()];
const elsewhere = (kind, port) => spawn(process.execPath, [everything, kind], { env: { ...process.env, PORT: `${port}` }, stdio: ["ignore", "pipe", "pipe"] });
const remotes = [elsewhere("streamableHttp", behind), elsewhere("sse", old)];
await Promise.all(remotes.map(listening));
const doorkeeper = createServer((request, response) => {
  if (request.headers.authorization !== `Bearer ${KEY}` || request.headers["x-tenant"] !== "books") return response.writeHead(403).end("no");
  const { method, url: path, headers } = request;
  const port = path.startsWith("/mcp") ? behind : old;
  const onward = forward({ port, method, path, headers: { ...headers, host: `127.0.0.1:${port}` } }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  onward.on("error", () => response.destroy());
  request.pipe(onward);
});
await new Promise((done) => doorkeeper.listen(door, "127.0.0.1", done));

writeFileSync(file, `
[models.main]
provider = "scripted"
script = """
on echo *
  call echo {"message": "$1"}
then
  say It says: $result
"""

[mcp.servers.everything]
command = ${JSON.stringify(process.execPath)}
args = [${JSON.stringify(everything)}, "stdio"]

[mcp]
allow_hosts = ["127.0.0.1:${door}"]

[mcp.servers.remote]
url = "http://127.0.0.1:${door}/mcp"
bearer = "secret:MCP"
headers = { x-tenant = "books" }

[mcp.servers.old]
url = "http://127.0.0.1:${door}/sse"
transport = "sse"
bearer = "secret:MCP"
headers = { x-tenant = "books" }

[agents.Helper]
kind = "chat"
mcp = ["everything"]

[agents.Remote]
kind = "chat"
mcp = ["remote"]
trust = ["echo"]

[agents.Old]
kind = "chat"
mcp = ["old"]
trust = ["echo"]
`);
const command = [values.hostel, "serve", "--config", file, "--listen", url.host, "--data", join(folder, "data")];
const hostel = server(command, url);
const at = (path) => new URL(`/agents/helper/ann/${path}`, url);
const post = async (path, body) => (await fetch(at(path), { method: "POST", body: JSON.stringify(body) })).json();
const ask = (message) => post("chat?stream=false", { message });

try {
  await hostel.start();
  const first = await ask("echo hello");
  assert.equal(first.state, "suspended", JSON.stringify(first));
  const { approvals } = await (await fetch(at("approvals"))).json();
  assert.deepEqual(approvals.map(({ tool, input }) => [tool, input]), [["echo", { message: "hello" }]]);
  assert.ok(approvals[0].pin, "a yes is for the tool as it is described now");
  assert.equal((await post(`approvals/${approvals[0].id}`, { approve: true, always: true })).accepted, true);
  const said = async () => JSON.stringify(await (await fetch(at("get-messages"))).json());
  for (const end = Date.now() + 20_000; !(await said()).includes("It says: Echo: hello"); ) assert.ok(Date.now() < end, await said());

  const second = await ask("echo again");
  assert.deepEqual([second.state, second.text.split("It says: ")[1]], ["done", "Echo: again"], JSON.stringify(second));
  await hostel.kill();
  await hostel.start();
  const third = await ask("echo once more");
  assert.equal(third.state, "done", JSON.stringify(third));

  const far = async (agent, message) => (await fetch(new URL(`/agents/${agent}/ann/chat?stream=false`, url), { method: "POST", body: JSON.stringify({ message }) })).json();
  assert.equal((await far("remote", "echo from afar")).text, "It says: Echo: from afar");
  assert.equal((await far("old", "echo from 2024")).text, "It says: Echo: from 2024");
  console.log("ok: asked, allowed, allowed for good, still after kill -9; and over HTTP of both kinds behind a key");
} finally {
  await hostel.kill();
  doorkeeper.closeAllConnections();
  doorkeeper.close();
  for (const remote of remotes) {
    remote.removeAllListeners("exit");
    remote.kill();
  }
  rmSync(folder, { recursive: true, force: true });
}
