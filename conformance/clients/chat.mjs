// The real useAgentChat of several generations in a real Chromium, two tabs at once:
//   node chat.mjs --serve "PATH/hostel-conformance --listen 127.0.0.1:{port} --data {data}"
//     [--provider "PATH/hostel-fake-provider" --agent HelperAgent] (a model answers; {models} in --serve is its address)
//     [--part story,cuts,kills,agents] [--versions 0.32.0,...] [--every N] (each N-th frame boundary only) [--from K] [--to L]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { agents } from "./lib/chat/agents.mjs";
import { boundaries } from "./lib/chat/boundaries.mjs";
import { chatBundle, GENERATIONS } from "./lib/chat/bundle.mjs";
import { story } from "./lib/chat/story.mjs";
import { pageServer } from "./lib/page-server.mjs";
import { fill, freePort, server } from "./lib/process.mjs";

const { values: flags } = parseArgs({
  options: {
    serve: { type: "string" },
    versions: { type: "string", default: GENERATIONS.join(",") },
    part: { type: "string", default: "story,cuts,kills,agents" },
    every: { type: "string", default: "1" },
    from: { type: "string", default: "1" },
    to: { type: "string", default: "Infinity" },
    agent: { type: "string", default: "ChatAgent" },
    provider: { type: "string" },
    chromium: { type: "string", default: "/usr/bin/chromium" },
  },
});
if (!flags.serve) {
  console.error('give --serve "COMMAND with {port} and {data}"');
  process.exit(2);
}

const CHROMIUM_FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
  "--disable-backgrounding-occluded-windows",
];
const scratch = mkdtempSync(join(tmpdir(), "hostel-chat-"));
const url = new URL(`http://127.0.0.1:${await freePort()}`);
const versions = flags.versions.split(",");
const models = new URL(`http://127.0.0.1:${await freePort()}/v1`);
const command = fill(flags.serve, { port: url.port, data: join(scratch, "data"), models: models.href });
const world = { url, agents: server(command, url) };
const script = fileURLToPath(new URL("lib/chat/provider.txt", import.meta.url));
const provider = flags.provider && server([flags.provider, models.host, script], models);

before(async () => {
  world.bundles = {};
  for (const version of versions) world.bundles[version] = await chatBundle(version);
  await provider?.start();
  await world.agents.start();
  world.pages = await pageServer({ bundles: world.bundles, upstream: url });
  world.page = `http://127.0.0.1:${world.pages.port}`;
  world.browser = await chromium.launch({ executablePath: flags.chromium, headless: true, args: CHROMIUM_FLAGS });
});

after(async () => {
  await world.browser?.close();
  world.pages?.close();
  await world.agents.kill();
  await provider?.kill();
  rmSync(scratch, { recursive: true, force: true });
});

const parts = flags.part.split(",");
const choice = { every: Number(flags.every), from: Number(flags.from), to: Number(flags.to), agent: flags.agent };
for (const version of versions) {
  if (parts.includes("story")) describe(`useAgentChat ${version}`, () => story(world, version));
  if (parts.includes("agents")) describe(`useAgentToolEvents ${version}`, () => agents(world, version));
  if (parts.includes("cuts")) describe(`useAgentChat ${version}, cut off`, () => boundaries(world, version, "cut", choice));
  if (parts.includes("kills")) describe(`useAgentChat ${version}, server killed`, () => boundaries(world, version, "kill", choice));
}
