// Waits for a server of the official suite, which says on what port it listens.
import { setTimeout as sleep } from "node:timers/promises";

const LIMIT = 60_000;

/** Resolves when it listens; rejects when it ends before, or says nothing for a minute. */
export function listening(server) {
  const said = new Promise((resolve, reject) => {
    server.on("exit", (code, signal) => reject(new Error(`the server ended with ${code ?? signal}`)));
    for (const output of [server.stdout, server.stderr]) output.on("data", (text) => `${text}`.includes("port") && resolve());
  });
  return Promise.race([said, late("the server did not say on what port it listens")]);
}

/** What a promise resolves to, in time. */
export const within = (promise, what) => Promise.race([promise, late(`${what} did not come`)]);

async function late(what) {
  await sleep(LIMIT, undefined, { ref: false });
  throw new Error(`${what} within ${LIMIT} ms`);
}
