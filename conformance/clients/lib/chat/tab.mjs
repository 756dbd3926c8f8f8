// A tab with the chat page, and what a person would do in it.
import { setTimeout as sleep } from "node:timers/promises";

const STEP = 25;

/** Opens the chat page of a generation. `page` is where page and agent are. */
export async function openTab(context, options) {
  const { page, generation, agent, name, label, manual = false } = options;
  const tab = await context.newPage();
  const log = [];
  // What answers said that went on and that the tab has asked for, by the id of the stream.
  const continued = new Map();
  tab.on("websocket", (socket) => {
    socket.on("framesent", ({ payload }) => noteAsked(continued, payload));
    socket.on("framereceived", ({ payload }) => noteSaid(continued, payload));
  });
  tab.on("console", (message) => log.push(message.text()));
  tab.on("pageerror", (error) => log.push(`page error: ${error.message}`));
  const query = new URLSearchParams({ v: generation, agent, name, tab: label });
  if (manual) query.set("manual", "1");
  await tab.goto(`${page}/page?${query}`);
  await tab.waitForFunction(() => window.chat && window.opens, undefined, { timeout: 15_000 });
  const act = (name, ...args) => tab.evaluate(([name, args]) => window.chat[name](...args), [name, args]);
  return {
    label,
    options,
    log,
    continued,
    act,
    view: () => act("view"),
    opens: () => tab.evaluate(() => window.opens),
    close: () => tab.close(),
    reload: async () => {
      await tab.reload();
      await tab.waitForFunction(() => window.chat && window.opens, undefined, { timeout: 15_000 });
    },
  };
}

function noteAsked(continued, payload) {
  const { type, id } = parsed(payload);
  if (type === "cf_agent_stream_resume_ack") continued.set(id, []);
}

function noteSaid(continued, payload) {
  const { type, id, continuation, body } = parsed(payload);
  if (type === "cf_agent_use_chat_response" && continuation && body) continued.get(id)?.push(parsed(body));
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

/** Waits until the view of a tab is as wanted; says what it was when it never is. */
export async function sees(tab, wanted, what, limit = 10_000) {
  const end = Date.now() + limit;
  let view;
  do {
    view = await tab.view();
    if (wanted(view)) return view;
    await sleep(STEP);
  } while (Date.now() < end);
  const log = tab.log.slice(-5).join("\n");
  throw new Error(`tab ${tab.label} never showed ${what}; it shows ${JSON.stringify(view, null, 1)}\n${log}`);
}

/** The texts of the agent, of the user, and the tool calls in a view. */
export const texts = (view, role) => view.messages.filter((message) => message.role === role).map(({ text }) => text);
export const tools = (view) => view.messages.flatMap(({ tools }) => tools);
export const isIdle = (view) => view.open && !view.busy && view.status !== "error";
