// The page of the chat tests: one conversation, in one generation of `useAgentChat`. `agent-hook` and `chat-hook` are
// replaced at bundling by the packages of that generation. What it shows and does is in `window.chat`.
import { Suspense, useEffect, useRef } from "react";
import { createRoot } from "react-dom/client";
import * as hooks from "agent-hook";
import { useAgentChat } from "chat-hook";

const { useAgent } = hooks;
// Pages of old know nothing of agents below others.
const useAgentToolEvents = hooks.useAgentToolEvents ?? (() => ({ runsById: {} }));
const params = new URLSearchParams(location.search);
const generation = params.get("v");
const isV4 = generation.startsWith("0.0.");
const isV5 = generation.startsWith("0.2.");
const place = () => ({ city: params.get("tab") });
const SETTLED = ["output-available", "output-error", "output-denied", "result"];

// How each generation is given a tool that runs in the page.
function toolOptions() {
  if (params.has("manual")) return {};
  if (isV4) return { maxSteps: 5, onToolCall: ({ toolCall }) => (toolCall.toolName === "getLocation" ? place() : undefined) };
  if (isV5) {
    const tools = { getLocation: { description: "where", parameters: { type: "object" }, execute: async () => place() } };
    return { tools, experimental_automaticToolResolution: true, autoContinueAfterToolResult: true };
  }
  const onToolCall = ({ toolCall, addToolOutput }) => {
    if (toolCall.toolName === "getLocation") addToolOutput({ toolCallId: toolCall.toolCallId, output: place() });
  };
  return { onToolCall };
}

function Chat() {
  const agent = useAgent({
    agent: params.get("agent"),
    name: params.get("name"),
    host: location.host,
    minReconnectionDelay: 50,
    maxReconnectionDelay: 150,
    onOpen: () => (window.opens = (window.opens ?? 0) + 1),
  });
  const chat = useAgentChat({ agent, onTurnEnd: (end) => (window.ends ??= []).push(end), ...toolOptions() });
  const { runsById } = useAgentToolEvents({ agent });
  const now = useRef(chat);
  now.current = { ...chat, runsById };
  useEffect(() => {
    window.chat = controls(now, agent);
  }, [agent]);
  return (
    <main>
      <p id="status">{chat.status}</p>
      <p id="error">{chat.error?.message ?? ""}</p>
      <ol>
        {chat.messages.map((message) => (
          <li key={message.id} className={message.role}>{textOf(message)}</li>
        ))}
      </ol>
    </main>
  );
}

function controls(now, agent) {
  return {
    view: () => view(now.current, agent),
    messages: () => now.current.messages,
    // A send that fails shows in `error`; here it would only be noise.
    send: (text) => void quiet(isV4 ? now.current.append({ role: "user", content: text }) : now.current.sendMessage({ text })),
    stop: () => void quiet(now.current.stop()),
    // What comes next is on its way before the server has said anything about the stop.
    stopAnd: async (next, ...args) => (await quiet(now.current.stop()), window.chat[next](...args)),
    again: () => void quiet(isV4 ? now.current.reload() : now.current.regenerate()),
    clear: () => now.current.clearHistory(),
    answer: (id, tool, output) => {
      if (isV4) return void now.current.addToolResult({ toolCallId: id, result: output });
      if (isV5) return void now.current.addToolResult({ tool, toolCallId: id, output });
      now.current.addToolOutput({ toolCallId: id, toolName: tool, output });
    },
    approve: (id, tool, approved) => {
      const approval = approvalOf(now.current.messages, id);
      if (now.current.addToolApprovalResponse && approval) return void now.current.addToolApprovalResponse({ id: approval, approved });
      window.chat.answer(id, tool, approved ? "Yes, confirmed." : "No, denied.");
    },
  };
}

async function quiet(promise) {
  try {
    await promise;
  } catch (error) {
    console.warn(String(error));
  }
}

function approvalOf(messages, id) {
  return messages.flatMap(({ parts }) => parts).find((part) => part.toolCallId === id)?.approval?.id;
}

function view(chat, agent) {
  const busy = chat.status === "submitted" || chat.status === "streaming" || chat.isStreaming || chat.isServerStreaming || chat.isRecovering;
  return {
    open: agent.readyState === 1,
    status: chat.status,
    busy: Boolean(busy),
    error: chat.error?.message ?? null,
    ends: window.ends ?? [],
    messages: chat.messages.map((message) => ({ role: message.role, text: textOf(message), tools: toolsOf(message) })),
    runs: Object.values(chat.runsById).map((run) => ({
      id: run.runId,
      call: run.parentToolCallId,
      agent: run.agentType,
      name: run.display?.name,
      input: run.inputPreview,
      status: run.status,
      summary: run.summary ?? null,
      said: run.progress?.message ?? null,
      text: textOf(run),
      tools: toolsOf(run),
    })),
  };
}

function textOf(message) {
  return message.parts.filter((part) => part.type === "text").map((part) => part.text).join("|");
}

function toolsOf(message) {
  const calls = message.parts.map((part) => part.toolInvocation ?? part).filter((part) => part.toolCallId);
  return calls.map((call) => ({
    id: call.toolCallId,
    name: call.toolName ?? call.type.slice("tool-".length),
    state: SETTLED.includes(call.state) ? "settled" : call.state,
    output: call.output ?? call.result ?? null,
    error: call.errorText ?? null,
  }));
}

createRoot(document.getElementById("root")).render(
  <Suspense fallback={<p id="status">loading</p>}>
    <Chat />
  </Suspense>,
);
