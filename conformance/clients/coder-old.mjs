// The coding agent as clients of its first year use it: names, methods, and approvals by magic words.
//
//   node coder-old.mjs --hostel PATH/TO/hostel
//
// The frames are those of `useAgentChat` of agents 0.0.43, sent by the published AgentClient of that time: a request carries all
// messages in the form of AI SDK 4, and a tool that asks is answered in the last of them, with "Yes, confirmed." or "No, denied.".
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { fleet, until } from "./lib/harness.mjs";
import { freePort, server } from "./lib/process.mjs";
import { loadClient } from "./lib/versions.mjs";

const { values } = parseArgs({ options: { hostel: { type: "string" } } });
// Not below /tmp, which is another one in the sandbox.
const folder = mkdtempSync("/var/tmp/hostel-coder-old-");
const url = new URL(`http://127.0.0.1:${await freePort()}`);
const file = join(folder, "hostel.toml");
writeFileSync(file, `
[models.main]
provider = "scripted"
script = """
on make *
  call! createFile {"path": "$1", "content": "made"}
then
  say It says: $result
on *
  say You said: $text
"""
`);
const hostel = server([resolve(values.hostel), "serve", "--config", file, "--listen", url.host, "--data", join(folder, "data")], url);
const open = [];

/** What useAgentChat of 0.0.43 does: one request, its answer as the lines of AI SDK 4's data stream. */
async function request(seen, messages) {
  const id = crypto.randomUUID();
  const init = { method: "POST", headers: {}, body: JSON.stringify({ id: "chat", messages }) };
  const from = seen.messages.length;
  seen.client.send(JSON.stringify({ type: "cf_agent_use_chat_request", id, url: "/api/chat", init }));
  const frames = () => seen.messages.slice(from).map((text) => { try { return JSON.parse(text); } catch { return {}; } })
    .filter((frame) => frame.type === "cf_agent_use_chat_response" && frame.id === id);
  await until(() => frames().some(({ done }) => done), "the end of the answer", 30_000);
  return frames().map(({ body }) => body).join("").split("\n").filter(Boolean)
    .map((line) => [line.slice(0, line.indexOf(":")), JSON.parse(line.slice(line.indexOf(":") + 1))]);
}

const of = (lines, kind) => lines.filter(([found]) => found === kind).map(([, value]) => value);
const user = (text) => ({ id: crypto.randomUUID(), role: "user", content: text, parts: [{ type: "text", text }] });

/** The assistant's message as AI SDK 4 keeps it, with the person's answer as the tool's result. */
function answered(lines, result) {
  const [{ messageId }] = of(lines, "f");
  const [{ toolCallId, toolName, args }] = of(lines, "9");
  const toolInvocation = { state: "result", step: 0, toolCallId, toolName, args, result };
  const parts = [{ type: "step-start" }, { type: "tool-invocation", toolInvocation }];
  return { id: messageId, role: "assistant", content: "", parts, toolInvocations: [toolInvocation] };
}

async function story(version, agent) {
  const generation = await loadClient(version);
  const clients = fleet(generation, { host: url.host });
  open.push(clients);
  const seen = clients.open({ agent, name: `old-${version.replaceAll(".", "-")}-${agent.toLowerCase()}` });
  await seen.opened();

  assert.deepEqual(await seen.call("getMessages", []), []);
  assert.equal((await seen.call("setProjectContext", [{ repoOwner: "a", repoName: "b" }])).success, true);
  assert.deepEqual(await seen.call("getProjectContext", []), { repoOwner: "a", repoName: "b" });
  const ran = await seen.call("executeCommand", ["echo one && echo two"]);
  assert.deepEqual([ran.exitCode, ran.output], [0, "one\ntwo\n"], JSON.stringify(ran));
  for (const method of ["analyzeCode", "generateCode", "explainCode"]) {
    assert.equal(typeof await seen.call(method, ["let a = 1;"]), "object", method);
  }

  const first = user("make yes.txt");
  const asked = await request(seen, [first]);
  assert.deepEqual(of(asked, "9").map(({ toolName, args }) => [toolName, args.path]), [["createFile", "yes.txt"]]);
  assert.deepEqual(of(asked, "a"), [], "nothing ran before the yes");
  const allowed = answered(asked, "Yes, confirmed.");
  const done = await request(seen, [first, allowed]);
  assert.match(of(done, "0").join(""), /It says: .*yes\.txt/, JSON.stringify(done));
  assert.equal((await seen.call("readFile", [{ path: "yes.txt" }])).text, "made");

  const second = user("make no.txt");
  const history = [first, allowed, second];
  const denied = answered(await request(seen, history), "No, denied.");
  const over = await request(seen, [...history, denied]);
  assert.match(of(over, "0").join(""), /It says: .*did not allow/, JSON.stringify(over));
  await assert.rejects(seen.call("readFile", [{ path: "no.txt" }]));
  console.log(`ok: agents ${version} as ${agent}: methods, yes and no`);
}

try {
  await hostel.start();
  for (const version of ["0.0.43", "0.0.113"]) for (const agent of ["coder", "coderagent"]) await story(version, agent);
} catch (error) {
  console.error(hostel.log());
  throw error;
} finally {
  for (const clients of open) clients.closeAll();
  await hostel.kill();
  rmSync(folder, { recursive: true, force: true });
}
