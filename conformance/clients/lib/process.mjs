// Starts the server under test, kills it the hard way, starts it again.
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A port nobody listens on right now; none of those that connections of this machine are given, which may come in between. */
export async function freePort() {
  for (;;) {
    const port = 16_000 + Math.floor(Math.random() * 16_000);
    const isFree = await new Promise((done) => {
      const probe = createServer().once("error", () => done(false));
      probe.listen(port, "127.0.0.1", () => probe.close(() => done(true)));
    });
    if (isFree) return port;
  }
}

/** `command` is a list of words; `url` is polled until it answers anything; `env` is added to our own environment. */
export function server(command, url, env = {}) {
  let child = null;
  let log = "";
  return {
    async start() {
      // Its own process group, so that the kill reaches what a wrapper started, and nothing else.
      child = spawn(command[0], command.slice(1), { stdio: ["ignore", "pipe", "pipe"], detached: true, env: { ...process.env, ...env } });
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (log = (log + data).slice(-8000)));
      const failed = new Promise((_, reject) => child.once("error", reject));
      await Promise.race([answers(url, child, () => log), failed]);
    },
    async kill() {
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise((done) => child.once("exit", done));
      process.kill(-child.pid, "SIGKILL");
      await gone;
    },
    /** Kills the one process, as a machine that is short of memory does: what it had started lives on, as long as it likes. */
    async killAlone() {
      const gone = new Promise((done) => child.once("exit", done));
      process.kill(child.pid, "SIGKILL");
      await gone;
    },
    log: () => log,
  };
}

async function answers(url, child, log) {
  for (let attempt = 0; attempt < 1200; attempt++) {
    const ended = child.exitCode ?? child.signalCode;
    if (ended !== null) throw new Error(`the server ended with ${ended}:\n${log()}`);
    const answered = await fetch(url).then(() => true, () => false);
    if (answered) return;
    await sleep(50);
  }
  throw new Error(`no answer from ${url} within a minute:\n${log()}`);
}

/** Splits a command template on spaces and fills in {port} and {data}. */
export function fill(template, values) {
  return template.split(" ").filter(Boolean).map((word) => word.replace(/\{(\w+)\}/g, (_, key) => values[key]));
}
