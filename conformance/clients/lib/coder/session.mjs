// One session from the first word to the last: three clients, each of which is asked in its turn; and perhaps one kill.
import { setTimeout as sleep } from "node:timers/promises";
import { left, ran, workspace } from "./left.mjs";
import { openPage } from "./page.mjs";
import { openSocket } from "./socket.mjs";
import { asking, brokenOff, lastWords } from "./talk.mjs";
import { openTerminal } from "./terminal.mjs";

const GOAL = "teach it months";
const END = /^Done: /;
/** What a yes that was lost on its way costs: the person sees that nothing happens, and says it again. */
const PATIENCE = 3000;
/** How long somebody at a terminal looks before they answer. */
const LOOKS = 500;
/** No session takes that long, unless it has stopped or the machine has too much to do. */
const LIMIT = 240_000;

let serial = 0;

/** `kill` says when (see `moments.mjs`), several of them one after the other; nothing: never. */
export async function session(world, kill = []) {
  const name = `s${process.pid}-${++serial}`;
  await world.freshGithub();
  const clients = await Promise.all([openPage(world.browser, world.url, name), openTerminal(world.hostel, world.url, name), openSocket(world.url, name)]);
  const [page, terminal, socket] = clients;
  const it = { name, page, terminal, socket, struck: [], steps: [] };
  it.close = () => Promise.all(clients.map((client) => client.close()));
  try {
    socket.steps = 0;
    it.killer = killer(world, it, [kill].flat());
    terminal.type(GOAL);
    await throughout(it);
    await it.killer.end();
    await atRest(it);
    return { ...it, requests: world.door.passed, requestsSeen: world.door.seen, ...(await found(world, it)) };
  } catch (error) {
    error.message += `\n\nkilled: ${it.struck}\nthe calls: ${JSON.stringify(callsOf(socket))}\nthe last frames: ${socket.frames.slice(-12).join(", ")}\nthe terminal: ${terminal.lines().slice(-12).join("\n  ")}\nthe page: ${await page.state()}\nthe server: ${world.server.log().slice(-1500)}`;
    await it.killer?.end(true).catch(() => undefined);
    await it.close();
    throw error;
  } finally {
    it.killer?.stop();
  }
}

/** Kills the server at each of the moments, the next once it is back from the one before. */
function killer(world, it, kills) {
  let back = Promise.resolve();
  let waits = null;
  const strike = (where) => {
    waits = null;
    it.struck.push(where);
    back = world.server.killAlone().then(() => world.server.start()).then(next);
    back.catch(() => undefined);
  };
  const next = () => {
    waits = kills[it.struck.length] ?? null;
    const isIt = (line, number) => (waits?.door ? number === waits.door : new RegExp(waits?.request ?? "^$").test(line));
    if (waits?.door || waits?.request) world.door.arm(isIt, waits.way, () => waits && strike(`${waits.door ?? waits.request}, ${waits.way}`));
  };
  // Its count of requests is that of the whole session.
  world.door.arm(null, "", null);
  next();
  it.socket.onStep = (n, what) => (it.steps.push(what), waits?.frame === n && strike(`frame ${n}, ${what}`));
  const state = (tool) => callsOf(it.socket).findLast(([type]) => type === `tool-${tool}`)?.[1];
  const watch = setInterval(() => {
    if (waits?.ran && ran(workspace(world.data, it.name)).includes(waits.ran)) strike(waits.ran);
    if (waits?.allowed && /^(approval-responded|output-)/.test(state(waits.allowed))) strike(`${waits.allowed} may run`);
  }, 5);
  /** At the end, if that is asked for, or there were fewer frames than that; and until the server is back. */
  const end = async (isBroken = false) => {
    await back;
    // The last frames come behind the last words.
    for (let waited = 0; waits?.frame && !isBroken && waited < 3000; waited += 10) await sleep(10);
    if ((waits?.end || waits?.frame) && !isBroken) strike("the end");
    await back;
  };
  /** True if it was to be killed when this is asked, before anybody answers. */
  const asked = ({ type }) => type === `tool-${waits?.asked}` && (strike(`${waits.asked} asks`), true);
  return { asked, end, stop: () => clearInterval(watch) };
}

const callsOf = (socket) => socket.view().flatMap(({ parts }) => parts.filter(({ toolCallId }) => toolCallId).map(({ type, state, errorText }) => [type, state, errorText]));

// Answers what is asked, until the agent is done.
async function throughout({ page, terminal, socket, killer }) {
  const end = Date.now() + LIMIT;
  const asked = [];
  let answered = 0;
  for (; !END.test(lastWords(socket.view())) || socket.live; await sleep(10)) {
    if (Date.now() > end) throw new Error("the session does not end");
    const [call] = asking(socket.view());
    if (!call || killer.asked(call)) continue;
    const isNew = asked.at(-1) !== call.toolCallId;
    if (isNew) asked.push(call.toolCallId);
    if (!isNew && Date.now() - answered < PATIENCE) continue;
    if (await answer([page, terminal, socket][asked.length % 3], call)) answered = Date.now();
  }
}

async function answer(client, call) {
  if (client.allow) return client.allow(call.approval.id);
  if (!client.type) return client.isOpen && client.approve(call.toolCallId) !== false;
  // At a terminal a line without a question is said to the agent.
  const isAsked = () => client.asks()?.startsWith(`${call.type.slice(5)} asks to run with ${JSON.stringify(call.input)}`);
  if (!isAsked()) return false;
  // Nobody answers a question at sight: one that has only just taken the place of another takes no answer.
  await sleep(LOOKS);
  if (!isAsked()) return false;
  client.type("y");
  return true;
}

// Whoever was cut off comes back by itself, and nobody is busy any more.
async function atRest({ page, socket, terminal }) {
  const end = Date.now() + 60_000;
  const isQuiet = () => !socket.live && socket.isOpen && terminal.lines().some((line) => END.test(line));
  while (!(isQuiet() && (await page.isAtRest()))) {
    if (Date.now() > end) throw new Error(`not everybody comes to rest: ${JSON.stringify({ socket: socket.isOpen, live: socket.live?.message, page: await page.sees() })}`);
    await sleep(20);
  }
}

async function found(world, { name }) {
  const path = new URL(`/agents/coder-agent/${name}/get-messages`, world.url);
  const messages = await (await fetch(path)).json();
  return { messages, broken: brokenOff(messages), left: await left(world, name), ran: ran(workspace(world.data, name)) };
}
