// What chunks make of a message, as the AI SDK does it. Written anew here, so that no client's code is what it is compared with.

/** A message that grows by chunks; `base` is one that an answer goes on with. */
export function fold(base) {
  const message = base ? structuredClone(base) : { id: "", role: "assistant", parts: [] };
  const open = new Map();
  const call = (chunk) => message.parts.find((part) => part.toolCallId === chunk.toolCallId);
  const begin = (chunk, state) => {
    if (!call(chunk)) message.parts.push({ type: `tool-${chunk.toolName}`, toolCallId: chunk.toolCallId, state });
    return call(chunk);
  };
  const isSettled = (part) => /^output-/.test(part.state) && !part.preliminary;
  const texts = (kind, chunk) => {
    if (chunk.type === `${kind}-start`) message.parts.push({ type: kind, text: "", state: "streaming" }), open.set(`${kind} ${chunk.id}`, message.parts.at(-1));
    const part = open.get(`${kind} ${chunk.id}`);
    if (chunk.type === `${kind}-delta`) part.text += chunk.delta;
    if (chunk.type === `${kind}-end`) part.state = "done";
  };
  const apply = (chunk) => {
    const [kind] = chunk.type.split("-");
    if (kind === "text" || kind === "reasoning") return texts(kind, chunk);
    if (kind === "data") return data(message, chunk);
    if (chunk.type === "start") return (message.id = base ? message.id : chunk.messageId ?? message.id);
    if (chunk.type === "start-step") return message.parts.push({ type: "step-start" });
    if (chunk.type === "tool-input-start") return begin(chunk, "input-streaming");
    const part = kind === "tool" ? begin(chunk, "input-available") : null;
    if (!part || isSettled(part)) return;
    if (chunk.type === "tool-input-available" && !/^approval/.test(part.state)) Object.assign(part, { state: "input-available", input: chunk.input });
    if (chunk.type === "tool-approval-request" && part.state !== "approval-responded") Object.assign(part, { state: "approval-requested", approval: { id: chunk.approvalId } });
    if (chunk.type === "tool-output-available") Object.assign(part, { state: "output-available", output: chunk.output, preliminary: chunk.preliminary });
    if (chunk.type === "tool-output-error") Object.assign(part, { state: "output-error", errorText: chunk.errorText });
    if (chunk.type === "tool-output-denied") part.state = "output-denied";
  };
  return { message, apply };
}

function data(message, chunk) {
  if (chunk.transient) return;
  const same = chunk.id && message.parts.find((part) => part.type === chunk.type && part.id === chunk.id);
  if (same) same.data = chunk.data;
  else message.parts.push({ type: chunk.type, id: chunk.id, data: chunk.data });
}
