// The real useAgent in a real Chromium:
//   node browser.mjs --serve "PATH/hostel-conformance --listen 127.0.0.1:{port} --data {data}" [--origin same|other|both]
//   node browser.mjs --url http://127.0.0.1:PORT          (a running server; the restart is left out)
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { bundleWith } from "./lib/bundle.mjs";
import { freshName } from "./lib/harness.mjs";
import { pageServer } from "./lib/page-server.mjs";
import { fill, freePort, server } from "./lib/process.mjs";
import { kebab, VERSIONS } from "./lib/versions.mjs";

const { values: flags } = parseArgs({
  options: {
    serve: { type: "string" },
    url: { type: "string" },
    agent: { type: "string", default: "CounterAgent" },
    versions: { type: "string", default: Object.keys(VERSIONS).reverse().join(",") },
    origin: { type: "string", default: "both" },
    chromium: { type: "string", default: "/usr/bin/chromium" },
    screenshot: { type: "string" },
  },
});
if (!flags.serve === !flags.url) {
  console.error('give one of: --serve "COMMAND with {port} and {data}", --url http://127.0.0.1:PORT');
  process.exit(2);
}

const CHROMIUM_FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const PATIENCE = 20_000;
const versions = flags.versions.split(",");
const origins = flags.origin === "both" ? ["same", "other"] : [flags.origin];
const scratch = mkdtempSync(join(tmpdir(), "hostel-browser-"));
const url = new URL(flags.url ?? `http://127.0.0.1:${await freePort()}`);
const agents = flags.serve && server(fill(flags.serve, { port: url.port, data: join(scratch, "data") }), url);
let browser;
const bundles = {};

before(async () => {
  for (const version of versions) bundles[version] = await bundleWith("page.jsx", version);
  await agents?.start();
  browser = await chromium.launch({ executablePath: flags.chromium, headless: true, args: CHROMIUM_FLAGS });
});

after(async () => {
  await browser?.close();
  await agents?.kill();
  rmSync(scratch, { recursive: true, force: true });
});

for (const origin of origins) {
  for (const version of versions) {
    describe(`useAgent ${version}, page from ${origin === "same" ? "the same" : "another"} origin`, () => story(origin, version));
  }
}

function story(origin, version) {
  const label = `${version}, ${origin} origin`;
  const name = freshName("page");
  let pages;
  let tabs;

  before(async () => {
    pages = await pageServer({ bundles, upstream: origin === "same" ? url : undefined });
    const context = await browser.newContext();
    tabs = [await context.newPage(), await context.newPage()];
    // The oldest clients send the name as it is, and their users wrote the slug themselves.
    const agent = VERSIONS[version].kebab ? flags.agent : kebab(flags.agent);
    const query = new URLSearchParams({ v: version, agent, name });
    if (origin === "other") query.set("host", url.host);
    for (const tab of tabs) await tab.goto(`http://127.0.0.1:${pages.port}/page?${query}`);
  });

  after(async () => {
    if (flags.screenshot) await tabs?.[0].screenshot({ path: flags.screenshot });
    await tabs?.[0].context().close();
    pages?.close();
  });

  test(`${label}: both tabs connect and show the initial state`, async () => {
    for (const tab of tabs) await shows(tab, "#count", "0");
    if (VERSIONS[version].identity) await shows(tabs[0], "#identity", `${kebab(flags.agent)}/${name}`);
  });

  test(`${label}: state set in one tab is seen in the other`, async () => {
    await tabs[0].click("#set");
    await shows(tabs[1], "#count", "5");
    await shows(tabs[1], "#source", "server");
    await shows(tabs[0], "#source", "client");
  });

  test(`${label}: a call returns its result and its state reaches both tabs`, async () => {
    await tabs[1].click("#inc");
    await shows(tabs[1], "#result", "inc: 6");
    for (const tab of tabs) await shows(tab, "#count", "6");
  });

  test(`${label}: an unknown method is reported to the caller`, async () => {
    await tabs[0].click("#missing");
    await shows(tabs[0], "#result", "missing failed: Method missing does not exist");
  });

  test(`${label}: an agent under another is reached with the option sub`, { skip: !VERSIONS[version].subAgents }, async () => {
    const sub = JSON.stringify([{ agent: "ChildAgent", name: "c 1" }]);
    const query = new URLSearchParams({ v: version, agent: "ParentAgent", name, sub });
    if (origin === "other") query.set("host", url.host);
    const tab = await tabs[0].context().newPage();
    await tab.goto(`http://127.0.0.1:${pages.port}/page?${query}`);
    await shows(tab, "#identity", "child-agent/c 1");
    await tab.click("#hi");
    const parents = JSON.stringify([{ className: "ParentAgent", name }]);
    const wanted = `hi: ${JSON.stringify(`hi me from c 1 parent ${parents}`)}`;
    await tab.waitForFunction((text) => document.querySelector("#result").textContent === text, wanted, { timeout: PATIENCE });
    await tab.close();
  });

  test(`${label}: onMcpUpdate tells of the MCP servers an agent uses`, { skip: !VERSIONS[version].mcp }, async () => {
    const query = new URLSearchParams({ v: version, agent: "ToolsAgent", name, mcp: new URL("/mcp", url) });
    if (origin === "other") query.set("host", url.host);
    const tab = await tabs[0].context().newPage();
    await tab.goto(`http://127.0.0.1:${pages.port}/page?${query}`);
    await shows(tab, "#mcp", "0 tools");
    await tab.click("#tools");
    await shows(tab, "#mcp", "own is ready, 14 tools");
    await tab.click("#no-tools");
    await shows(tab, "#mcp", "0 tools");
    await tab.close();
  });

  test(`${label}: after the server was killed and started again both tabs are back with the state`, { skip: !agents }, async () => {
    await agents.kill();
    for (const tab of tabs) await shows(tab, "#status", "closed");
    await agents.start();
    for (const tab of tabs) await shows(tab, "#status", "open");
    await tabs[0].click("#inc");
    await shows(tabs[0], "#result", "inc: 7");
    await shows(tabs[1], "#count", "7");
    assert.ok(Number(await tabs[1].textContent("#opens")) >= 2);
  });
}

async function shows(tab, selector, text) {
  const wanted = tab.locator(selector).filter({ hasText: new RegExp(`^${text.replace(/[/.]/g, "\\$&")}$`) });
  await wanted.waitFor({ timeout: PATIENCE }).catch(async () => {
    assert.equal(await tab.textContent(selector), text, `${selector} of ${tab.url()}`);
  });
}
