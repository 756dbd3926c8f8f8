// The official MCP conformance suite, and MCP's own client and server, against our binaries.
//
//   node run.mjs --url http://127.0.0.1:8787 --client PATH/TO/hostel-mcp-client

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ResourceUpdatedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";

import { freePort } from "../clients/lib/process.mjs";
import { listening, within } from "./lib/listening.mjs";

const { values } = parseArgs({ options: { url: { type: "string" }, client: { type: "string" } } });
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const everything = here("node_modules/@modelcontextprotocol/server-everything/dist/index.js");
const results = mkdtempSync(join(tmpdir(), "mcp-"));
const failed = [];

async function part(name, work) {
  console.log(`-- ${name}`);
  try {
    await work();
  } catch (error) {
    failed.push(name);
    console.error(`failed: ${error.stack ?? error}`);
  }
}

/** Runs the suite; it fails on what expected.yml does not list, and on what it lists and passes. */
function suite(mode, ...args) {
  const command = ["--import", here("glob.mjs"), here("node_modules/@modelcontextprotocol/conformance/dist/index.js"), mode];
  const expected = ["--expected-failures", here("expected.yml"), "-o", join(results, mode)];
  const run = spawnSync(process.execPath, [...command, ...args, ...expected], { encoding: "utf8", maxBuffer: 1 << 28, timeout: 600_000 });
  const from = Math.max(run.stdout.indexOf("=== SUMMARY"), run.stdout.indexOf("=== SUITE SUMMARY"), 0);
  console.log(run.stdout.slice(from).trim());
  assert.equal(run.status, 0, `the ${mode} suite has unexpected results: ${run.stderr.slice(-2000)}`);
}

function ours(...args) {
  const run = spawnSync(values.client, args, { encoding: "utf8", timeout: 120_000 });
  assert.equal(run.status, 0, run.stderr);
  console.log(run.stdout.trim());
}

await part("the official suite against an agent as a server", () => suite("server", "--url", `${values.url}/mcp`, "--suite", "all"));
await part("the official suite against an agent as a client", () => suite("client", "--command", values.client, "--suite", "all"));

await part("the npm client of MCP against an agent", async () => {
  const client = new Client({ name: "npm", version: "1" });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${values.url}/mcp`)));
  const { tools } = await client.listTools();
  assert.ok(tools.some((tool) => tool.name === "test_simple_text"));
  const before = (await client.callTool({ name: "test_count", arguments: {} })).structuredContent.result;
  const after = (await client.callTool({ name: "test_count", arguments: {} })).structuredContent.result;
  assert.equal(after, before + 1);
  const heard = [];
  const onprogress = ({ message }) => heard.push(message);
  await client.callTool({ name: "test_tool_with_progress", arguments: {} }, undefined, { onprogress });
  assert.deepEqual(heard, ["0", "50", "100"]);
  const { contents } = await client.readResource({ uri: "agent://state" });
  assert.deepEqual(JSON.parse(contents[0].text), { calls: after });
  const updated = new Promise((resolve) => {
    client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => resolve(params.uri));
  });
  await client.subscribeResource({ uri: "agent://state" });
  await client.callTool({ name: "test_count", arguments: {} });
  assert.equal(await within(updated, "the word that the state has changed"), "agent://state");
  await client.unsubscribeResource({ uri: "agent://state" });
  const { messages } = await client.getPrompt({ name: "test_prompt_with_arguments", arguments: { arg1: "a", arg2: "b" } });
  assert.equal(messages[0].content.text, "Prompt with arguments: arg1='a', arg2='b'");
  const wrong = await client.callTool({ name: "test_count", arguments: { by: 1 } });
  assert.ok(wrong.isError && wrong.content[0].text.includes("it takes no arguments"));
  await client.close();
});

await part("an agent against the npm server of MCP, as a program", () => ours(process.execPath, everything, "stdio"));

/** The npm server over HTTP, of the one kind or the other. */
async function remote(kind, path, ...how) {
  const port = await freePort();
  const server = spawn(process.execPath, [everything, kind], { env: { ...process.env, PORT: `${port}` }, stdio: ["ignore", "pipe", "pipe"] });
  try {
    await listening(server);
    ours(`http://127.0.0.1:${port}${path}`, ...how);
  } finally {
    server.kill();
  }
}

await part("an agent against the npm server of MCP, over streamable HTTP", () => remote("streamableHttp", "/mcp"));
await part("an agent against the npm server of 2024 (SSEServerTransport), found out", () => remote("sse", "/sse"));
await part("an agent against the npm server of 2024, told so", () => remote("sse", "/sse", "sse"));

rmSync(results, { recursive: true });
if (failed.length > 0) {
  console.error(`failed: ${failed.join(", ")}`);
  process.exit(1);
}
