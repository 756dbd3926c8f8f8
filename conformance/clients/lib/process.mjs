// Starts the server under test, kills it the hard way, starts it again.
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A port nobody listens on right now. */
export function freePort() {
  return new Promise((done, failed) => {
    const probe = createServer().once("error", failed);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}

/** `command` is a list of words; `url` is polled until it answers anything. */
export function server(command, url) {
  let child = null;
  let log = "";
  return {
    async start() {
      // Its own process group, so that the kill reaches what a wrapper started, and nothing else.
      child = spawn(command[0], command.slice(1), { stdio: ["ignore", "pipe", "pipe"], detached: true });
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (log = (log + data).slice(-8000)));
      const failed = new Promise((_, reject) => child.once("error", reject));
      await Promise.race([answers(url, child, () => log), failed]);
    },
    async kill() {
      if (!child || child.exitCode !== null) return;
      const gone = new Promise((done) => child.once("exit", done));
      process.kill(-child.pid, "SIGKILL");
      await gone;
    },
    log: () => log,
  };
}

async function answers(url, child, log) {
  for (let attempt = 0; attempt < 400; attempt++) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}:\n${log()}`);
    const answered = await fetch(url).then(() => true, () => false);
    if (answered) return;
    await sleep(50);
  }
  throw new Error(`no answer from ${url} within 20 s:\n${log()}`);
}

/** Splits a command template on spaces and fills in {port} and {data}. */
export function fill(template, values) {
  return template.split(" ").filter(Boolean).map((word) => word.replace(/\{(\w+)\}/g, (_, key) => values[key]));
}
