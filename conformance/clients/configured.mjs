// Chat agents that are nothing but hostel.toml, with real servers behind their tools; and OpenAI's own npm client, which
// talks with them as if they were models. Everything with authentication.
//   node configured.mjs --hostel PATH/TO/hostel
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { parseArgs } from "node:util";
import OpenAI from "openai";
import { freePort, server } from "./lib/process.mjs";

const { values: flags } = parseArgs({ options: { hostel: { type: "string" } } });
if (!flags.hostel) {
  console.error("usage: node configured.mjs --hostel PATH/TO/hostel");
  process.exit(2);
}

const KEY = "ann-key-0123456789-0123456789-0123456789";
const SHOP_KEY = "shop-key-0123456789-0123456789";
Object.assign(process.env, { HOSTEL_SECRET_ANN: KEY, HOSTEL_SECRET_SHOP: SHOP_KEY });

/** A server that keeps what it was asked. */
async function listener(answer) {
  const hits = [];
  const http = createServer((request, response) => {
    let body = "";
    request.on("data", (data) => (body += data));
    request.on("end", () => {
      hits.push({ method: request.method, url: request.url, key: request.headers.authorization, body });
      answer(request, response);
    });
  });
  await new Promise((done) => http.listen(0, "127.0.0.1", done));
  return { port: http.address().port, hits, close: () => (http.closeAllConnections(), http.close()) };
}

const bait = await listener((_, response) => response.end("you should not be here"));
const shop = await listener((request, response) => {
  const to = { "/around": "/orders/7", "/away": `http://127.0.0.1:${bait.port}/` }[request.url];
  if (to) return response.writeHead(302, { location: to }).end();
  if (request.url.startsWith("/missing")) return response.writeHead(404).end("no such order");
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ at: request.url }));
});

const scratch = mkdtempSync(join(tmpdir(), "hostel-configured-"));
const url = new URL(`http://127.0.0.1:${await freePort()}`);
const at = `http://127.0.0.1:${shop.port}`;
const file = join(scratch, "hostel.toml");
writeFileSync(file, `
[[auth.token]]
subject = "ann"
token = "secret:ANN"

[models.main]
provider = "scripted"
script = """
on order *
  call order {"id": "$1", "currency": "EUR"}
then
  say Order: $result
on refund *
  call refund {"cents": $1}
then
  say Refund: $result
on go *
  call $1 {}
then
  say Went: $result
on read *
  call fetch {"url": "$1"}
then
  say Page: $result
on ask *
  call researcher {"task": "$1"}
then
  say They say: $result
on who
  say I was told: $system
on break
  say This will
  fault overloaded too much to do
on *
  say You said: $text
"""

[models.small]
provider = "scripted"
script = """
on *
  say About orders
"""

[models.other]
provider = "scripted"
script = """
on *
  say The other one
"""

[agents.Support]
kind = "chat"
description = "Knows orders."
system = "You help."
tools = ["time", "fetch"]
fetch_hosts = ["127.0.0.1:${shop.port}"]
agents = ["Researcher"]
open_settings = true

[agents.Support.http.order]
description = "Looks an order up."
url = "${at}/orders/{id}"
bearer = "secret:SHOP"
input.id = "Its number."
input.currency = { type = "string", optional = true }

[agents.Support.http.refund]
description = "Pays back."
url = "${at}/refunds"
method = "POST"
input.cents = { type = "integer" }

[agents.Support.http.around]
description = "Is sent to another page of the same server."
url = "${at}/around"

[agents.Support.http.away]
description = "Is sent to another server."
url = "${at}/away"
bearer = "secret:SHOP"

[agents.Support.http.missing]
description = "Finds nothing."
url = "${at}/missing"

[agents.Researcher]
kind = "chat"
description = "Finds out about one topic."
tools = ["fetch"]
fetch_hosts = ["*"]
`);
const command = [resolve(flags.hostel), "serve", "--config", file, "--listen", url.host, "--data", join(scratch, "data")];
const hostel = server(command, new URL("/healthz", url));

const call = async (method, path, body) => {
  const headers = { authorization: `Bearer ${KEY}` };
  const answer = await fetch(new URL(`/agents/${path}`, url), { method, headers, body: body && JSON.stringify(body) });
  return { status: answer.status, ...(await answer.json()) };
};
const ask = (name, message, agent = "support") => call("POST", `${agent}/${name}/chat?stream=false`, { message });
const eventually = async (look) => {
  for (const end = Date.now() + 20_000; ; await new Promise((done) => setTimeout(done, 25))) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < end, `never: ${look}`);
  }
};

before(() => hostel.start());
after(async () => {
  await hostel.kill();
  bait.close();
  shop.close();
  rmSync(scratch, { recursive: true, force: true });
});

describe("requests as tools", () => {
  test("one goes where the file says, with its key, and the inputs of the model in their places", async () => {
    const { text } = await ask("order", "order ../7?x");
    const { method, url: asked, key } = shop.hits.at(-1);
    assert.deepEqual([method, asked, key], ["GET", "/orders/..%2F7%3Fx?currency=EUR", `Bearer ${SHOP_KEY}`]);
    assert.match(text, /Order: .*orders/);
  });

  test("what changes something asks first, and happens once", async () => {
    const before = shop.hits.length;
    assert.equal((await ask("refund", "refund 500")).state, "suspended");
    assert.equal(shop.hits.length, before);
    const { approvals } = await call("GET", "support/refund/approvals");
    assert.deepEqual(approvals.map(({ tool, input }) => [tool, input]), [["refund", { cents: 500 }]]);
    const decide = () => call("POST", `support/refund/approvals/${approvals[0].id}`, { approve: true });
    const decided = [await decide(), await decide()];
    assert.deepEqual(decided.map(({ accepted }) => accepted), [true, false]);
    assert.equal(decided[0].approval.answeredBy, "ann");
    await eventually(() => shop.hits.length > before);
    const said = async () => (await ask("refund", "well?")).text === "You said: well?";
    await eventually(said);
    assert.deepEqual(shop.hits.slice(before).map(({ method, body }) => [method, body]), [["POST", '{"cents":500}']]);
  });

  test("it follows its own server, and no server elsewhere", async () => {
    assert.match((await ask("go", "go around")).text, /Went: .*orders\/7/);
    assert.match((await ask("go", "go away")).text, /redirects to another host/);
    assert.deepEqual(bait.hits, []);
  });

  test("what goes wrong is told to the model, which says so", async () => {
    assert.match((await ask("go", "go missing")).text, /404.*no such order/);
  });
});

describe("the tool that reads pages", () => {
  test("reads pages of the hosts in the file, and of no others", async () => {
    assert.match((await ask("read", `read ${at}/orders/9`)).text, /Page: .*orders\/9/);
    for (const page of [`http://127.0.0.1:${bait.port}/`, `http://localhost:${shop.port}/`, `http://127.0.0.1:${shop.port}@127.0.0.1:${bait.port}/`]) {
      assert.match((await ask("read", `read ${page}`)).text, /may not be read/, page);
    }
    assert.match((await ask("read", `read ${at}/away`)).text, /redirects to another host/);
    assert.deepEqual(bait.hits, []);
  });

  test("of the whole internet, it does not read this machine, in whatever spelling", async () => {
    for (const host of ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0"]) {
      const { text } = await ask("ssrf", `read http://${host}:${bait.port}/`, "researcher");
      assert.match(text, /this machine|this host|its network|no public/, `${host}: ${text}`);
    }
    assert.deepEqual(bait.hits, []);
  });
});

describe("other agents as tools", () => {
  test("does a task, is seen at its own place, and answers the one above", async () => {
    const answer = await ask("desk", "ask find pirates");
    assert.equal(answer.text, "They say: You said: find pirates");
    const call = answer.message.parts.find((part) => part.type === "tool-researcher");
    const place = `/agents/support/desk/sub/researcher/${encodeURIComponent(`agent-tool:${call.toolCallId}`)}/get-messages`;
    const messages = await (await fetch(new URL(place, url), { headers: { authorization: `Bearer ${KEY}` } })).json();
    assert.deepEqual(messages.map(({ role }) => role), ["user", "assistant"]);
  });
});

describe("settings of a conversation", () => {
  test("are open where the file says so", async () => {
    const set = await call("PATCH", "support/open/chat/settings", { model: "other" });
    assert.deepEqual([set.status, set.model], [200, "other"]);
    assert.equal((await ask("open", "hello")).text, "The other one");
    await call("PATCH", "support/open/chat/settings", { model: null, system: "Be kind." });
    assert.match((await ask("open", "who")).text, /I was told: .*Be kind\./s);
    const refused = await call("PATCH", "researcher/x/chat/settings", { model: "other" });
    assert.deepEqual([refused.status, refused.code], [403, "forbidden"]);
  });

  test("a conversation gets a title from the small model, and keeps one that was given to it", async () => {
    await ask("title", "where is order 7?");
    const title = async () => (await call("GET", "support/title/chat/settings")).title;
    assert.equal(await eventually(title), "About orders");
    await call("PATCH", "support/title/chat/settings", { title: "Mine" });
    await ask("title", "and order 8?");
    assert.equal(await title(), "Mine");
  });
});

describe("OpenAI's client", () => {
  const openai = (apiKey = KEY) => new OpenAI({ baseURL: new URL("/v1", url).href, apiKey });
  const messages = [{ role: "user", content: "hello there" }];

  test("talks with an agent, whole and as a stream", async () => {
    const whole = await openai().chat.completions.create({ model: "support/openai", messages });
    assert.deepEqual([whole.choices[0].message.content, whole.choices[0].finish_reason], ["You said: hello there", "stop"]);
    const stream = await openai().chat.completions.create({ model: "support/openai", messages: [{ role: "user", content: "again" }], stream: true, stream_options: { include_usage: true } });
    let said = "";
    let usage;
    for await (const chunk of stream) {
      said += chunk.choices[0]?.delta?.content ?? "";
      usage = chunk.usage ?? usage;
    }
    assert.equal(said, "You said: again");
    assert.ok(usage.total_tokens > 0);
  });

  test("the agent uses its own tools meanwhile, and says so when one waits for somebody", async () => {
    const runner = openai().chat.completions.stream({ model: "support/openai", messages: [{ role: "user", content: "order 7" }] });
    assert.match(await runner.finalContent(), /Order: .*orders\/7/);
    const waits = await openai().chat.completions.create({ model: "support/waits", messages: [{ role: "user", content: "refund 1" }] });
    assert.match(waits.choices[0].message.content, /waits for somebody's yes/);
  });

  test("hears what is wrong as its own kinds of errors, and does not say it twice", async () => {
    const create = (client, body) => client.chat.completions.create({ messages, ...body });
    await assert.rejects(create(openai("wrong"), { model: "support/x" }), OpenAI.AuthenticationError);
    await assert.rejects(create(openai(), { model: "gpt-5" }), /such as coder-agent\/default/);
    const tools = [{ type: "function", function: { name: "t", parameters: {} } }];
    await assert.rejects(create(openai(), { model: "support/x", tools }), /its own tools/);
    await assert.rejects(create(openai(), { model: "support/broken", messages: [{ role: "user", content: "break" }] }), /too much to do|overloaded|busy/i);
    const answer = await fetch(new URL("/agents/support/broken/get-messages", url), { headers: { authorization: `Bearer ${KEY}` } });
    assert.equal((await answer.json()).filter(({ role }) => role === "user").length, 1);
  });

  test("lists the classes that chat, to those with a key", async () => {
    const ids = [];
    for await (const model of openai().models.list()) ids.push(model.id);
    assert.ok(ids.includes("support/default") && ids.includes("researcher/default"), `${ids}`);
    await assert.rejects(openai("wrong").models.list(), OpenAI.AuthenticationError);
  });
});

describe("a mistake in the file", () => {
  const wrong = (text, expected) =>
    test(`stops the start: ${expected}`, () => {
      const bad = join(scratch, "bad.toml");
      writeFileSync(bad, text);
      const words = ["serve", "--config", bad, "--listen", "127.0.0.1:0", "--data", join(scratch, "bad")];
      const { status, stderr } = spawnSync(resolve(flags.hostel), words, { encoding: "utf8", timeout: 30_000, killSignal: "SIGKILL" });
      assert.ok(status > 0, `${status} ${stderr}`);
      assert.ok(stderr.includes("bad.toml:") && stderr.includes(expected), stderr);
    });
  const chat = (name, rest = "") => `[agents.${name}]\nkind = "chat"\n${rest}\n`;
  wrong(`[models.big]\nprovider = "scripted"\n${chat("Desk", 'model = "bg"')}`, 'did you mean "big"?');
  wrong(chat("Desk", 'agents = ["Reader"]') + chat("Raeder"), 'did you mean "Raeder"?');
  wrong(chat("Desk", 'agents = ["Reader"]') + chat("Reader", 'agents = ["Desk"]'), "would send each other for ever");
  wrong(`[mcp.servers.x]\nurl = "http://10.0.0.1/mcp"\n${chat("Desk", 'mcp = ["x"]')}`, 'allow_hosts = ["10.0.0.1"]');
  wrong(`[mcp.servers.files]\ncommand = "/bin/true"\n${chat("Desk", 'mcp = ["flies"]')}`, 'did you mean "files"?');
  wrong(chat("Desk", 'system_file = "nope.md"'), "system_file nope.md cannot be read");
  wrong(chat("CoderAgent"), "has that name already");
  wrong(`${chat("Desk")}[agents.Dsk]\nallow = "user"\n`, "did you mean desk?");
});

test("what was said and set is there after kill -9", async () => {
  await hostel.kill();
  await hostel.start();
  assert.equal((await call("GET", "support/title/chat/settings")).title, "Mine");
  assert.match((await ask("order", "order 8")).text, /orders\/8/);
});
