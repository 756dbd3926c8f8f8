// MCP servers that the project names: shown with their entries, used after a yes to exactly that, and asked about anew when it changes.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import http from "node:http";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { answered, freshName, say, tab, workspaceOf, world, written } from "./world.mjs";

/** A server that knows one tool. */
const SERVER = `while read -r line; do
  id=$(printf '%s' "$line" | grep -o '"id":[0-9]*' | head -n 1 | cut -d : -f 2)
  case $line in
    *'"initialize"'*) result='{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"here","version":"1"}}' ;;
    *'"tools/list"'*) result='{"tools":[{"name":"where","description":"Tells where it is.","inputSchema":{"type":"object"}}]}' ;;
    *) continue ;;
  esac
  printf '{"jsonrpc":"2.0","id":%s,"result":%s}\\n' "$id" "$result"
done
`;
const file = (args) => JSON.stringify({ mcpServers: { here: { command: "sh", args } } });

describe("MCP servers of the project", () => {
  const it = world({ toml: "[mcp]\n" });

  test("one is used after a yes to its entry, and no more when that is another", async () => {
    const context = await it.context();
    const name = freshName("mcp");
    const page = await tab(it, context, name);
    await written(page, "first.txt", "first");
    const workspace = workspaceOf(it, name);
    writeFileSync(join(workspace, "server.sh"), SERVER);
    writeFileSync(join(workspace, ".mcp.json"), file(["server.sh"]));
    await page.keyboard.press("Control+,");
    const server = page.locator(".servers > li");
    const state = (name) => page.locator(`.servers > li[data-state="${name}"]`).waitFor();
    await state("not-allowed");
    assert.match(await server.innerText(), /sh server\.sh/);
    await page.getByRole("button", { name: "Use the MCP server here", exact: true }).click();
    await page.locator('.servers > li:not([data-state="not-allowed"])').waitFor();
    await page.keyboard.press("Escape");
    await say(page, "hello");
    await answered(page, "Hello yourself!");
    await page.keyboard.press("Control+,");
    await state("ready");
    writeFileSync(join(workspace, ".mcp.json"), file(["server.sh", "another"]));
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+,");
    await state("changed");
    await page.getByRole("button", { name: "Use the MCP server here no more" }).click();
    await state("not-allowed");
    assert.deepEqual(page.errors, []);
    await context.close();
  });
});

/** An MCP server on the network that lets in nobody who has not signed in, and beside it the place where one signs in. */
async function guarded() {
  const answer = async (request, response) => {
    const url = new URL(request.url, it.origin);
    const send = (status, body, headers = {}) => response.writeHead(status, { "content-type": "application/json", ...headers }).end(body && JSON.stringify(body));
    const parts = [];
    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts).toString();
    if (url.pathname === "/.well-known/oauth-protected-resource/mcp") return send(200, { resource: `${it.origin}/mcp`, authorization_servers: [it.origin] });
    if (url.pathname === "/.well-known/oauth-authorization-server") return send(200, { issuer: it.origin, authorization_endpoint: `${it.origin}/authorize`, token_endpoint: `${it.origin}/token`, registration_endpoint: `${it.origin}/register`, response_types_supported: ["code"], code_challenge_methods_supported: ["S256"] });
    if (url.pathname === "/register") return send(201, { client_id: "page", redirect_uris: JSON.parse(body).redirect_uris });
    if (url.pathname === "/authorize") return send(302, null, { location: `${url.searchParams.get("redirect_uri")}?code=yes&state=${encodeURIComponent(url.searchParams.get("state"))}` });
    if (url.pathname === "/token") return send(200, { access_token: "let-me-in", token_type: "Bearer", expires_in: 3600 });
    if (url.pathname !== "/mcp") return send(404);
    if (request.headers.authorization !== "Bearer let-me-in") return send(401, null, { "www-authenticate": `Bearer resource_metadata="${it.origin}/.well-known/oauth-protected-resource/mcp"` });
    if (request.method !== "POST") return send(405);
    const call = JSON.parse(body);
    const results = { initialize: { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "guarded", version: "1" } }, "tools/list": { tools: [] } };
    const answered = call.method in results ? { result: results[call.method] } : { error: { code: -32601, message: "There is no such method." } };
    return call.id === undefined ? send(202) : send(200, { jsonrpc: "2.0", id: call.id, ...answered });
  };
  const it = http.createServer((request, response) => void answer(request, response));
  await new Promise((done) => it.listen(0, "127.0.0.1", done));
  it.origin = `http://127.0.0.1:${it.address().port}`;
  return it;
}

describe("an MCP server where somebody has to sign in", () => {
  let mcp;
  const it = world({
    prepare: async () => {
      mcp = await guarded();
      return `[mcp]\nallow_hosts = ["${new URL(mcp.origin).host}"]\n`;
    },
  });
  after(() => mcp?.close());

  test("the way there stands beside the chat and in the settings, and is gone once somebody has", async () => {
    const context = await it.context();
    const name = freshName("sign-in");
    const page = await tab(it, context, name);
    await written(page, "first.txt", "first");
    writeFileSync(join(workspaceOf(it, name), ".mcp.json"), JSON.stringify({ mcpServers: { there: { type: "http", url: `${mcp.origin}/mcp` } } }));
    await page.keyboard.press("Control+,");
    await page.getByRole("button", { name: "Use the MCP server there", exact: true }).click();
    await page.locator('.servers > li:not([data-state="not-allowed"])').waitFor();
    await page.keyboard.press("Escape");
    await say(page, "hello");
    await answered(page, "Hello yourself!");
    const beside = page.locator(".status.waits").getByRole("link", { name: "Sign in for the MCP server there" });
    await beside.waitFor();
    assert.equal(new URL(await beside.getAttribute("href")).origin, mcp.origin);
    assert.deepEqual([await beside.getAttribute("target"), await beside.getAttribute("rel")], ["_blank", "noopener noreferrer"]);
    await page.keyboard.press("Control+,");
    const within = page.locator('.servers > li[data-state="authenticating"]').getByRole("link", { name: "Sign in for the MCP server there" });
    await within.click();
    await page.locator('.servers > li[data-state="ready"]').waitFor();
    await page.locator(".status.waits").waitFor({ state: "detached" });
    assert.deepEqual(page.errors, []);
    await context.close();
  });
});
