// The raw socket: frames as they come, folded by hand, and an end of its own accord never.
import { setTimeout as sleep } from "node:timers/promises";
import WebSocket from "ws";
import { fold } from "./fold.mjs";

/** Which frames are no step of their own: there are many of them, and what is between two of them is little. */
const DELTAS = /-delta$/;

/** Opens it, and again whenever it is lost. `onFrame` hears of each frame that is a step. */
export async function openSocket(url, name) {
  const it = { messages: [], live: null, errors: [], frames: [], steps: 0, isOpen: false, onStep: () => undefined };
  const path = new URL(`/agents/coder-agent/${name}`, url);
  let socket = null;
  let isOver = false;
  const send = (frame) => socket?.readyState === WebSocket.OPEN && socket.send(JSON.stringify(frame));

  async function connect() {
    const transcript = await fetch(`${path}/get-messages`).then((answer) => answer.json(), () => null);
    if (isOver) return;
    if (!transcript) return setTimeout(connect, 100);
    socket = new WebSocket(String(path).replace(/^http/, "ws"), { origin: url.origin });
    socket.on("open", () => {
      Object.assign(it, { isOpen: true, messages: transcript, live: null });
      send({ type: "cf_agent_stream_resume_request", probeId: "raw" });
    });
    socket.on("message", (data) => took(it, String(data), send));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      it.isOpen = false;
      if (!isOver) setTimeout(connect, 100);
    });
  }
  await connect();
  while (!it.isOpen) await sleep(10);
  it.approve = (call) => send({ type: "cf_agent_tool_approval", toolCallId: call, approved: true, autoContinue: true });
  it.view = () => view(it);
  it.close = () => ((isOver = true), socket.terminate());
  return it;
}

/** The conversation, with what has come of an answer under way. */
function view({ messages, live }) {
  if (!live?.message.parts.length) return messages;
  return messages.some(({ id }) => id === live.message.id) ? messages.map((one) => (one.id === live.message.id ? live.message : one)) : [...messages, live.message];
}

function took(it, text, send) {
  const frame = JSON.parse(text);
  const chunk = frame.type === "cf_agent_use_chat_response" && frame.body && !frame.error ? JSON.parse(frame.body) : null;
  it.frames.push(chunk ? `${frame.replay ? "again " : ""}${chunk.type}` : frame.type);
  const what = { cf_agent_stream_resuming: resuming, cf_agent_use_chat_response: response, cf_agent_chat_messages: transcript, cf_agent_message_updated: updated }[frame.type];
  if (frame.error === true || /error/.test(frame.type) || chunk?.type === "error") it.errors.push(text);
  else what?.(it, frame, chunk, send);
  // What comes again after a kill is not counted: the next kill is another session's.
  if (!frame.replay && !DELTAS.test(chunk?.type)) it.onStep(++it.steps, it.frames.at(-1));
}

function resuming(it, frame, _, send) {
  // All of it comes, from its beginning.
  it.live = null;
  send({ type: "cf_agent_stream_resume_ack", id: frame.id });
}

function response(it, frame, chunk) {
  if (frame.done) return over(it, frame);
  if (it.live?.request !== frame.id) {
    const last = frame.continuation ? it.messages.findLast(({ role }) => role === "assistant") : undefined;
    it.live = { request: frame.id, next: 0, ...fold(last) };
  }
  if (!chunk || frame.seq < it.live.next) return;
  it.live.next = frame.seq + 1;
  it.live.apply(chunk);
}

// What the pieces came to stands, whatever the transcript before the end said of it.
function over(it, frame) {
  if (it.live?.request !== frame.id) return;
  it.messages = view(it);
  it.live = null;
}

function transcript(it, frame) {
  it.messages = frame.messages;
}

function updated(it, { message }) {
  it.messages = it.messages.map((one) => (one.id === message.id ? message : one));
  if (it.live?.message.id === message.id) Object.assign(it.live, fold(message));
}
