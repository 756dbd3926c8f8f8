// Starts the published Agents SDK on workerd:
//   node run.mjs --port 9001 [--app counter|recorded|coder] [--data DIR] [--prepare]
// Prints "ready" once it listens. With --prepare nothing is started: the command line is printed.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { APPS } from "./apps.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const COMPATIBILITY_DATE = "2026-11-01";

const { values: flags } = parseArgs({
  options: {
    port: { type: "string" },
    listen: { type: "string" },
    app: { type: "string", default: "counter" },
    data: { type: "string" },
    prepare: { type: "boolean", default: false },
  },
});

const app = APPS[flags.app];
if (!app) fail(`unknown --app ${flags.app}; one of: ${Object.keys(APPS).join(", ")}`);
const address = flags.listen ?? (flags.port && `127.0.0.1:${flags.port}`);
if (!address) fail("give --port N or --listen ADDR:PORT");

const work = mkdtempSync(join(tmpdir(), "hostel-peer-"));
const data = resolve(flags.data ?? join(work, "data"));
mkdirSync(data, { recursive: true });
await bundle(join(here, app.entry), join(work, "worker.js"));
writeFileSync(join(work, "config.capnp"), config(app, address, data));

const binary = workerdPath();
const args = ["serve", join(work, "config.capnp"), "--experimental"];
if (flags.prepare) {
  console.log([binary, ...args].join(" "));
} else {
  await serve();
}

async function serve() {
  const [, host, port] = /^(.*):(\d+)$/.exec(address);
  if (await accepts(host, Number(port))) fail(`somebody already listens on ${address}`);
  const child = spawn(binary, args, { stdio: ["ignore", "inherit", "inherit"] });
  // workerd waits for open connections when asked politely; nobody is waiting for it here.
  const stop = () => child.kill("SIGKILL");
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  child.on("exit", (code, signal) => {
    rmSync(work, { recursive: true, force: true });
    process.exit(signal ? 0 : (code ?? 1));
  });
  await listening(address);
  console.log(`ready ${address} workerd pid ${child.pid}`);
}

async function bundle(entry, outfile) {
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    conditions: ["workerd", "worker", "browser"],
    mainFields: ["module", "main"],
    external: ["cloudflare:workers", "cloudflare:sockets", "node:*"],
    alias: { path: "node:path", "cloudflare:email": join(here, "email-stub.js") },
    logLevel: "error",
  });
}

function config({ bindings, unbound = [] }, address, data) {
  const classes = [...new Set([...Object.values(bindings), ...unbound])];
  const namespaces = classes.map((c) => `(className = "${c}", uniqueKey = "${c}", enableSql = true)`);
  const bound = Object.entries(bindings).map(([name, c]) => `(name = "${name}", durableObjectNamespace = "${c}")`);
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "disk", disk = (path = "${data}", writable = true)),
  ],
  sockets = [(name = "http", address = "${address}", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "${COMPATIBILITY_DATE}",
  durableObjectNamespaces = [${namespaces.join(", ")}],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [${bound.join(", ")}],
);
`;
}

// The npm wrapper would keep a Node process between us and the server; take the binary itself.
function workerdPath() {
  const require = createRequire(import.meta.url);
  const arch = process.arch === "x64" ? "64" : process.arch;
  return require.resolve(`@cloudflare/workerd-${process.platform}-${arch}/bin/workerd`);
}

async function listening(address) {
  const [, host, port] = /^(.*):(\d+)$/.exec(address);
  for (let attempt = 0; attempt < 300; attempt++) {
    if (await accepts(host, Number(port))) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  fail(`workerd did not listen on ${address} within 15 s`);
}

function accepts(host, port) {
  return new Promise((done) => {
    const socket = connect({ host, port });
    socket.once("connect", () => (socket.destroy(), done(true)));
    socket.once("error", () => done(false));
  });
}

function fail(message) {
  console.error(`peer: ${message}`);
  process.exit(2);
}
