// One conversation with a tool, an approval and a slow answer, in two tabs; at each boundary between two messages on the
// socket of the first tab the socket is cut, or the server is killed. At the end all views are equal, nothing is doubled,
// missing, or busy.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pageServer } from "../page-server.mjs";
import { cutter } from "./cutter.mjs";
import { abilities, freshTabs } from "./story.mjs";
import { kebab } from "../versions.mjs";
import { openTab, texts, tools } from "./tab.mjs";

const SAID = ["tool", "approval", "slow one two three"];
const CALLS = { ChatAgent: ["getLocation", "danger"], HelperAgent: ["clock", "getLocation", "danger"] };
// What a frame lost on its way costs: the person sees that nothing happens, and does it again.
const PATIENCE = 1500;
// Whoever wants an answer anew has all of it done again: that is for the last, shows what comes of it, and fails.
const LONG_PATIENCE = 10_000;
// What a call says that was under way when the server was killed.
const UNCERTAIN = "so it may or may not have happened";
const LIMIT = 45_000;
// What the clients of an age cannot do, by the frame after which the socket is cut or the server killed. Such a page has to be busy
// until somebody presses stop, whenever the server never got that frame; when it is not, this is out of date, and the test fails.
const STUCK = [
  {
    version: "0.2.35",
    how: "kill",
    after: "up cf_agent_use_chat_request",
    why: "it minds no closed socket, asks for nothing when it is back, and listens to frames with the id of its request alone, which died with the server",
  },
];

// What the packages of an age show as an error although nothing is wrong, by the version of the page. Nobody else may be in `error`, and
// this one only while everything is shown, and if it was sent exactly what it cannot read.
const READS_WRONG = [
  {
    version: "0.21.0",
    tool: "danger",
    says: (call) => `No tool invocation found for tool call ID "${call}".`,
    after: (call) => [{ type: "start" }, { type: "tool-output-available", toolCallId: call }],
    why: "`ai` 6 begins a stream it goes on with by an empty message, unless a call was cut off while it was written, and then misses the call that the first chunk has the result of; `ai` 7 takes the message that waits",
  },
];

export function boundaries(world, version, how, { every, from, to, agent }) {
  if (!abilities(version).resume) return;
  let context;
  let proxy;
  let pages;
  let count = 0;

  before(async () => {
    context = await world.browser.newContext();
    proxy = await cutter(world.url);
    pages = await pageServer({ bundles: world.bundles, upstream: new URL(`http://127.0.0.1:${proxy.port}`) });
    proxy.page = `http://127.0.0.1:${pages.port}`;
  });
  after(async () => {
    await context?.close();
    pages?.close();
    proxy?.close();
  });

  test(`${version}: undisturbed, the conversation takes some messages`, async () => {
    const { passed } = await conversation(world, version, context, proxy, 0, agent);
    count = passed;
    assert.ok(count > 20, `${count}`);
  });

  test(`${version}: ${how} at ${every === 1 ? "every" : `each ${every}th`} boundary`, async (t) => {
    for (let at = from; at <= Math.min(count, to); at += every) {
      await t.test(`${how} after message ${at} of ${count}`, async (t) => {
        if (how === "kill") restartAt(world, proxy);
        const { stuck } = await conversation(world, version, context, proxy, at, agent, how);
        const cut = proxy.last && `${proxy.last.direction} ${proxy.last.type}`;
        t.diagnostic(`after ${cut}${stuck ? ": busy until stop was pressed" : ""}`);
      });
    }
  });
}

/** Has the server killed at the cut, and started again at once; `proxy.restarted` is when it answers. */
function restartAt(world, proxy) {
  proxy.onCut = () => {
    proxy.onCut = null;
    proxy.restarted = world.agents.kill().then(() => world.agents.start());
  };
}

async function conversation(world, version, context, proxy, at, agent, how) {
  proxy.arm(0);
  proxy.restarted = null;
  const [one, two] = await freshTabs(world, context, version, [proxy.page, world.page], agent);
  const scene = { world, proxy, one, two, stuck: false, anew: 0, lost: null, known: () => knownToBeStuck(proxy, version, how) };
  try {
    proxy.arm(at);
    for (const [turn, text] of SAID.entries()) await said(scene, text, turn);
    const { passed } = proxy;
    await agreed(world, context, [one, two], agent);
    assert.equal(scene.anew, 0, "somebody had to ask for an answer anew");
    if (agent === "HelperAgent") await ranOnce(world, one);
    const known = scene.known();
    if (known && scene.lost && !scene.stuck) throw new Error(`${version} was not stuck after "${known.after}": take it out of STUCK`);
    return { passed, stuck: scene.stuck };
  } finally {
    proxy.onCut = null;
    await proxy.restarted;
    await Promise.all([one.close(), two.close()]);
  }
}

/** The entry of what is known to be stuck after the frame at which it was cut. */
function knownToBeStuck({ last }, version, how) {
  return last && STUCK.find((entry) => entry.version === version && entry.how === how && entry.after === `${last.direction} ${last.type}`);
}

// What a person does until the turn is through: says it, answers what is asked, and tries again when nothing happens.
async function said(scene, text, turn) {
  const { proxy, one, two } = scene;
  const end = Date.now() + LIMIT;
  let tried = 0;
  let changed = Date.now();
  let before = "";
  while (Date.now() < end) {
    await proxy.restarted;
    if (scene.lost === null && scene.known()) scene.lost = (await questions(scene)) <= turn;
    const views = await Promise.all([one.view(), two.view()]);
    const now = JSON.stringify(views);
    if (now !== before) [before, changed] = [now, Date.now()];
    if (views.every((view, at) => isThrough(view, turn) && isWell([one, two][at], view))) return;
    const rest = Date.now() - changed;
    if ((tried === 0 || rest > PATIENCE) && views[0].open) {
      tried++;
      const isDone = await nudge(scene, views, text, turn, rest > LONG_PATIENCE);
      if (isDone !== false) changed = Date.now();
    }
    await sleep(25);
  }
  throw new Error(`"${text}" was never through:\n${before}\n${one.log.slice(-6).join("\n")}\n--\n${two.log.slice(-6).join("\n")}`);
}

async function nudge(scene, [view, other], text, turn, isLast) {
  const { one } = scene;
  if (scene.lost && !scene.stuck && view.status === "submitted") {
    scene.stuck = true;
    return one.act("stop");
  }
  const known = Math.max(texts(view, "user").length, texts(other, "user").length);
  if (texts(view, "user").length <= turn && known <= turn) return one.act("send", text);
  const open = tools(view).find((call) => call.state !== "settled");
  const there = tools(other).find((call) => call.state !== "settled");
  const call = there ?? open;
  // That one is the server's to answer.
  if (call?.name === "clock") return false;
  if (call?.name === "danger") return one.act("approve", call.id, call.name, true);
  if (call) return one.act("answer", call.id, call.name, { city: "again" });
  if (view.busy || other.busy) return false;
  // What the server never got nobody can answer: it is said again, with what the page shows.
  if ((await questions(scene)) <= turn) return one.act("again");
  if (isLast) {
    scene.anew++;
    return one.act("again");
  }
  return false;
}

// How many questions the server has.
async function questions({ world, one }) {
  const { agent, name } = one.options;
  const answer = await fetch(new URL(`/agents/${kebab(agent)}/${name}/get-messages`, world.url));
  return (await answer.json()).filter(({ role }) => role === "user").length;
}

// `turn` turns are through: so many questions and answers, nothing open, nobody busy.
function isThrough(view, turn) {
  const answers = texts(view, "assistant");
  const expected = ["continued", "continued", "You said: slow one two three"][turn];
  const calls = tools(view).filter((call) => call.name !== "danger");
  return view.open && !view.busy && view.messages.length === 2 * (turn + 1) && answers.at(-1).includes(expected) && calls.every((call) => call.state === "settled");
}

// Whether a tab shows no error, or the one that its packages show for what it was sent.
function isWell(tab, view) {
  if (view.status !== "error") return true;
  const known = READS_WRONG.find(({ version }) => version === tab.options.generation);
  const call = known && tools(view).findLast(({ name, state, output }) => name === known.tool && state === "settled" && output === "done");
  return Boolean(call) && view.error === known.says(call.id) && wasSent(tab, known.after(call.id));
}

// Whether a stream that a tab was to go on with began like this.
function wasSent(tab, first) {
  const begins = (chunks) => first.every((want, at) => Object.entries(want).every(([key, value]) => chunks[at]?.[key] === value));
  return [...tab.continued.values()].some(begins);
}

async function agreed(world, context, tabs, agent) {
  const fresh = await openTab(context, { ...tabs[0].options, label: "c", page: world.page, manual: true });
  try {
    const end = Date.now() + 5000;
    for (;;) {
      const views = await Promise.all([...tabs, fresh].map((tab) => tab.view()));
      try {
        for (const view of views) assert.ok(!view.busy, "a tab is busy");
        assert.deepEqual(views[1].messages, views[0].messages, "the tabs differ");
        assert.deepEqual(views[2].messages, views[0].messages, "a tab opened now differs");
        return whole(views[0], CALLS[agent]);
      } catch (error) {
        if (Date.now() > end) throw error;
        await sleep(50);
      }
    }
  } finally {
    await fresh.close();
  }
}

// Every question once, every answer once, in order.
function whole(view, calls) {
  assert.deepEqual(texts(view, "user"), SAID);
  const answers = texts(view, "assistant");
  assert.deepEqual(answers.slice(0, 2), ["continued", "continued"]);
  assert.match(answers[2], /^You said: slow one two three( body=\S+ tools=\S* )?$/);
  assert.deepEqual(tools(view).map(({ name }) => name), calls);
}

// The agent counts how often its tools ran: once, or not at all where the call says that it may not have happened.
async function ranOnce(world, one) {
  const { agent, name } = one.options;
  const ran = await (await fetch(new URL(`/agents/${kebab(agent)}/${name}`, world.url))).json();
  const called = tools(await one.view());
  for (const [tool, output] of [["clock", "noon"], ["danger", "done"]]) {
    const call = called.find((call) => call.name === tool);
    const isKnown = call.output === output;
    if (!isKnown) assert.ok(call.error?.includes(UNCERTAIN), `the call of ${tool} says ${JSON.stringify(call)}`);
    assert.ok(ran[tool] === 1 || (ran[tool] === 0 && !isKnown), `${tool} ran ${ran[tool]} times, and its call says ${JSON.stringify(called)}`);
  }
}
