// A real server with the scripted model, and a real Chromium, for one file of tests.
//   --hostel PATH   the server (default ../../target/debug/hostel)
//   --dist DIR      a page bundled with `node build.mjs --out DIR`, in place of the server's own
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, extname, join, resolve } from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { freePort, server } from "../../conformance/clients/lib/process.mjs";

const here = dirname(fileURLToPath(import.meta.url));
// The driver is the one of the other browser tests.
const { chromium } = createRequire(join(here, "../../conformance/clients/package.json"))("playwright-core");
export const { values: flags } = parseArgs({
  args: process.argv.slice(2).filter((word) => !word.endsWith(".mjs")),
  options: {
    hostel: { type: "string", default: join(here, "../../target/debug/hostel") },
    dist: { type: "string" },
    pictures: { type: "string" },
    chromium: { type: "string", default: "/usr/bin/chromium" },
  },
});

const CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows", "--font-render-hinting=none"];
/** Nobody waits that long for anything, unless the machine has too much to do. */
export const PATIENCE = 60_000;

/** What the scripted model does for these tests, before what is built into it. */
const SCRIPT = readFileSync(join(here, "script.txt"), "utf8");

/**
 * Starts everything before the tests of a file, and ends it after them. `toml` is added to the configuration, and so is what
 * `prepare` returns, which is given the directory of it all.
 */
export function world({ toml = "", model = true, prepare = () => "" } = {}) {
  const it = { errors: [] };
  let scratch;
  let front;
  before(async () => {
    scratch = mkdtempSync(join(tmpdir(), "hostel-page-"));
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    writeFileSync(join(scratch, "script.txt"), SCRIPT);
    const models = model ? `[models.main]\nprovider = "scripted"\nscript_file = ${JSON.stringify(join(scratch, "script.txt"))}\n` : "";
    writeFileSync(join(scratch, "hostel.toml"), [toml, await prepare(scratch), models].join("\n"));
    mkdirSync(join(scratch, "data"));
    it.scratch = scratch;
    it.direct = url;
    it.server = server([resolve(flags.hostel), "serve", "--config", join(scratch, "hostel.toml"), "--listen", `127.0.0.1:${port}`, "--data", join(scratch, "data")], `${url}/healthz`);
    await it.server.start();
    front = flags.dist && (await bundled(resolve(flags.dist), new URL(url)));
    it.url = front ? `http://127.0.0.1:${front.port}` : url;
    it.browser = await chromium.launch({ executablePath: flags.chromium, headless: true, args: CHROMIUM_FLAGS });
  });
  after(async () => {
    await it.browser?.close();
    front?.close();
    await it.server?.kill();
    rmSync(scratch, { recursive: true, force: true });
  });
  it.context = (options = {}) => it.browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce", ...options });
  return it;
}

/** A tab with a conversation, connected. */
export async function tab(it, context, name, { wait = true } = {}) {
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => message.type() === "error" && !/Failed to load resource|WebSocket connection/.test(message.text()) && errors.push(message.text()));
  page.setDefaultTimeout(PATIENCE);
  await page.goto(`${it.url}/c/${encodeURIComponent(name)}`);
  if (wait) await page.locator('.link[data-phase="open"]').waitFor();
  return Object.assign(page, { errors });
}

/** Says something; it stands in the talk, or waits to be sent, when this returns. */
export async function say(page, text) {
  const said = page.locator(".message.said");
  const before = await said.count();
  await page.locator("#composer").fill(text);
  await page.locator("#composer").press("Enter");
  await said.nth(before).waitFor();
}

/** The answer to what was said last, once it is whole. */
export async function answered(page, text) {
  const whole = page.locator(".column > .message").last().and(page.locator('.answered[aria-busy="false"]')).filter({ hasText: text });
  await whole.waitFor();
  return whole;
}

/** Says yes to the one question there is. */
export const allow = (page) => page.getByRole("button", { name: /^Allow/ }).click();

/** Has the tool write a file, says yes, and waits for the end of the answer. */
export async function written(page, path, content) {
  await say(page, `use write_file ${JSON.stringify({ path, content })}`);
  await allow(page);
  await answered(page, "The tool answered");
}

/** Opens a pane of the workbench. */
export async function opened(page, title) {
  if (!(await page.locator(".workbench").isVisible())) await page.keyboard.press("Control+j");
  await page.getByRole("tab", { name: new RegExp(`^${title}`) }).click();
}

/** The directory of a conversation's workspace, which is there once something was written. */
export function workspaceOf(it, name) {
  const all = join(it.scratch, "data/workspaces");
  const found = existsSync(all) && readdirSync(all).find((entry) => entry.startsWith(`${name}-`) && !entry.includes("."));
  if (!found) throw new Error(`no workspace of ${name} in ${all}`);
  return join(all, found);
}

let counter = 0;
export const freshName = (what = "talk") => `${what}-${process.pid}-${++counter}`;

// While the page is worked on: its bundle from a directory, everything else from the server.
function bundled(dist, { hostname, port }) {
  const TYPES = { ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".woff2": "font/woff2" };
  const front = http.createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://page");
    const isPage = request.method === "GET" && (pathname === "/" || pathname.startsWith("/c/")) && request.headers.accept?.includes("text/html");
    if (pathname.startsWith("/assets/")) return response.writeHead(200, { "content-type": TYPES[extname(pathname)] ?? "" }).end(readFileSync(join(dist, pathname)));
    const onward = http.request({ hostname, port, method: request.method, path: request.url, headers: request.headers }, (answer) => {
      if (!isPage) return response.writeHead(answer.statusCode, answer.headers), answer.pipe(response);
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("end", () => {
        const told = /name="hostel" content="([^"]*)"/.exec(Buffer.concat(chunks))?.[1] ?? "";
        const { "content-length": _, ...headers } = answer.headers;
        response.writeHead(200, headers).end(readFileSync(join(dist, "index.html"), "utf8").replace("{{settings}}", told));
      });
    });
    onward.on("error", () => response.writeHead(502).end());
    request.pipe(onward);
  });
  front.on("upgrade", (request, socket, head) => {
    const onward = connect(port, hostname, () => {
      const lines = request.rawHeaders.flatMap((word, at, all) => (at % 2 ? [] : [`${word}: ${all[at + 1]}`]));
      onward.write(`${request.method} ${request.url} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    for (const [one, other] of [[socket, onward], [onward, socket]]) one.on("error", () => other.destroy()).on("close", () => other.destroy());
  });
  return new Promise((done) => front.listen(0, "127.0.0.1", () => done({ port: front.address().port, close: () => (front.closeAllConnections(), front.close()) })));
}
