// Everything a session needs, as processes: the server, the fake GitHub behind its door, Chromium.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import { freePort, server } from "../process.mjs";
import { door } from "./door.mjs";
import { repository } from "./repository.mjs";

const TOKEN = "ghp_Fake0000000000000000000000000000ada1";
const CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows"];

/** The Chromium of all worlds. */
export const openBrowser = (executablePath) => chromium.launch({ executablePath, headless: true, args: CHROMIUM_FLAGS });

/** Starts all else. */
export async function openWorld(hostel, browser) {
  // Not below /tmp, which is another in the sandbox.
  const scratch = mkdtempSync("/var/tmp/hostel-coder-");
  const it = { scratch, hostel: resolve(hostel), browser, data: join(scratch, "data"), github: null };
  const bin = dirname(it.hostel);
  mkdirSync(it.data);
  repository(join(scratch, "ms"));
  const behind = { port: await freePort() };
  it.door = await door(behind);
  it.clone = `http://127.0.0.1:${it.door.port}/ada/ms.git`;
  it.url = new URL(`http://127.0.0.1:${await freePort()}`);
  const config = configure(it);
  it.server = server([it.hostel, "serve", "--config", config, "--listen", it.url.host, "--data", it.data], `${it.url.origin}/healthz`, { HOSTEL_SECRET_GITHUB_TOKEN: TOKEN });
  await it.server.start();

  /** A GitHub where nobody has done anything yet. */
  it.freshGithub = async () => {
    await it.github?.kill();
    it.github = await github([join(bin, "hostel-fake-github"), "--listen", `127.0.0.1:${behind.port}`, "--repository", `ada/ms=${join(scratch, "ms")}`, "--token", `${TOKEN}=ada`]);
  };
  it.close = async () => {
    await it.server.kill();
    await it.github?.kill();
    it.door.close();
    rmSync(scratch, { recursive: true, force: true });
  };
  return it;
}

function configure({ scratch, clone, door }) {
  const script = readFileSync(new URL("script.txt", import.meta.url), "utf8").replaceAll("URL", clone);
  writeFileSync(join(scratch, "script.txt"), script);
  const file = join(scratch, "hostel.toml");
  // Commands see the Node that runs this, wherever it is.
  const node = JSON.stringify(dirname(process.execPath));
  const commands = process.execPath.startsWith("/usr/") ? "" : `[coder.commands]\nread = [${JSON.stringify(dirname(dirname(process.execPath)))}]\npath = [${node}]\n`;
  const models = `[models.main]\nprovider = "scripted"\nscript_file = ${JSON.stringify(join(scratch, "script.txt"))}\n`;
  writeFileSync(file, `${models}\n[coder.github]\napi_url = "http://127.0.0.1:${door.port}/api/v3"\ntoken = "secret:GITHUB_TOKEN"\n${commands}`);
  return file;
}

async function github(command) {
  const child = spawn(command[0], command.slice(1), { stdio: ["ignore", "pipe", "inherit"] });
  const gone = new Promise((done) => child.once("exit", done));
  const [first] = await Promise.race([new Promise((done) => createInterface({ input: child.stdout }).once("line", (line) => done([line]))), gone.then(() => [])]);
  if (!first) throw new Error("the fake GitHub does not start");
  const { url, api } = JSON.parse(first);
  return { url, api, kill: () => (child.kill("SIGKILL"), gone) };
}
