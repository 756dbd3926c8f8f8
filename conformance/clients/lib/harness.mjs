// A client under test with everything it reported, and bounded waiting.
import { setTimeout as sleep } from "node:timers/promises";
import WebSocket from "ws";

// Node 20 has no global WebSocket; a browser and newer Node have one, and that is what the clients use.
globalThis.WebSocket ??= WebSocket;

/** How long a loaded machine may take, in milliseconds; only what fails takes it. */
const LIMIT = 30_000;

/** Waits until `condition` gives something truthy; says what was awaited when it never does. */
export async function until(condition, what, limit = LIMIT) {
  const end = Date.now() + limit;
  while (Date.now() < end) {
    const value = await condition();
    if (value) return value;
    await sleep(10);
  }
  throw new Error(`waited ${limit} ms in vain: ${what}`);
}

/** Rejects when a promise does not settle in time: a hanging call is a failure with a name. */
export function within(promise, what, limit = LIMIT) {
  const late = sleep(limit, undefined, { ref: false }).then(() => {
    throw new Error(`no answer within ${limit} ms: ${what}`);
  });
  return Promise.race([promise, late]);
}

/** Opens clients of one version against one server and closes them all at the end of a test. */
export function fleet(generation, target) {
  const opened = [];
  return {
    open(options) {
      const seen = observe(generation, target, options);
      opened.push(seen.client);
      return seen;
    },
    closeAll() {
      for (const client of opened) client.close();
    },
  };
}

function observe({ AgentClient }, { host }, options) {
  const seen = { states: [], stateErrors: [], messages: [], opens: 0, closes: [], identities: [], connectionErrors: [] };
  const client = new AgentClient({
    host,
    minReconnectionDelay: 200,
    maxReconnectionDelay: 400,
    onStateUpdate: (state, source) => seen.states.push({ state, source }),
    onStateUpdateError: (error) => seen.stateErrors.push(error),
    onIdentity: (name, agent) => seen.identities.push({ name, agent }),
    onConnectionError: ({ code, reason }) => seen.connectionErrors.push({ code, reason }),
    ...options,
  });
  client.addEventListener("open", () => seen.opens++);
  client.addEventListener("close", ({ code, reason }) => seen.closes.push({ code, reason }));
  client.addEventListener("message", ({ data }) => seen.messages.push(data));
  seen.client = client;
  seen.opened = () => until(() => seen.opens > 0, "the socket to open");
  seen.state = (wanted) =>
    until(() => seen.states.some(({ state, source }) => source === "server" && equal(state, wanted)),
      `state ${JSON.stringify(wanted)} from the server, seen ${JSON.stringify(seen.states)}`);
  seen.call = (method, args, options) => within(client.call(method, args, options), `call ${method}`);
  return seen;
}

export const equal = (a, b) => JSON.stringify(a) === JSON.stringify(b);

let serial = 0;
const run = Date.now().toString(36);

/** A fresh instance name. */
export function freshName(label) {
  return `${label}-${run}-${process.pid}-${serial++}`;
}
