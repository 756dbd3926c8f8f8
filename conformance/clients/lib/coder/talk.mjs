// A conversation in the words that are the same each time: without names that chance makes, and without moments.

/** Messages as lists of what was said and done. */
export function talk(messages) {
  return messages.map(({ role, parts }) => [role, ...parts.flatMap(said)]);
}

/** Calls with their state, in order. */
export const calls = (messages) => messages.flatMap(({ parts }) => parts.filter(isCall).map(({ type, state }) => `${type.slice(5)} ${state}`));

/** The calls that wait for a yes, oldest first. */
export const asking = (messages) => messages.flatMap(({ parts }) => parts.filter(({ state }) => state === "approval-requested"));

/** What was said last, once that is whole. */
export function lastWords(messages) {
  const last = messages.at(-1)?.parts.at(-1);
  return last?.type === "text" && last.state === "done" ? last.text : "";
}

/** Commands that nobody knows the end of. */
export const brokenOff = (messages) => messages.flatMap(({ parts }) => parts.filter(isBroken));

/** What a conversation is without the command that was broken off, and what the model did about that. */
export function withoutLooking(messages) {
  const drop = (parts) => {
    const at = parts.findIndex(isBroken);
    if (at < 0) return parts;
    // The look, and the second time, each a step with its preview; the words in between.
    const steps = parts.flatMap((part, index) => (part.type === "step-start" && index > at ? [index] : []));
    const again = parts.slice(steps[1], steps[2]);
    const step = parts.slice(0, at).findLastIndex(({ type }) => type === "step-start");
    return [...parts.slice(0, step), ...again, ...parts.slice(steps[2])];
  };
  const text = JSON.stringify(messages.map((message) => ({ ...message, parts: drop(message.parts) })));
  return JSON.parse(text.replaceAll("second begun", "first begun").replaceAll("second over", "first over"));
}

const isBroken = (part) => isCall(part) && /the server stopped while it ran/.test(JSON.stringify(part.output));
const isCall = ({ type }) => type.startsWith("tool-");

function said(part) {
  if (part.type === "text" || part.type === "reasoning") return part.text ? [{ [part.type]: part.text, state: part.state }] : [];
  if (part.type === "step-start") return [];
  if (!isCall(part)) return [{ [part.type]: plain({ ...part.data, toolCallId: undefined }) }];
  const { state, input, output, errorText } = part;
  return [{ call: part.type.slice(5), state, input, output: plain(output), errorText: plain(errorText) }];
}

/** Commits, marks, moments and the numbers of comments differ. */
function plain(value) {
  if (typeof value === "string") return scrub(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, key === "id" && typeof inner === "number" ? 0 : plain(inner)]));
}

export function scrub(text) {
  return text
    .replace(/\b[0-9a-f]{12,40}\b/g, "<name>")
    .replace(/after [\d.]+ s\b/g, "after a moment")
    .replace(/issuecomment-\d+/g, "<comment>")
    .replace(/"id":\d+/g, '"id":0')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-][\d:]+)/g, "<moment>");
}

/** The first place where two values differ, in words; nothing if none does. */
export function difference(one, two, at = "") {
  if (one === two) return null;
  const isOpen = (value) => value !== null && typeof value === "object";
  if (!isOpen(one) || !isOpen(two)) return `${at || "it"}: ${JSON.stringify(one)}\ninstead of: ${JSON.stringify(two)}`;
  const keys = [...new Set([...Object.keys(one), ...Object.keys(two)])].filter((key) => one[key] !== undefined || two[key] !== undefined);
  for (const key of keys) {
    const found = difference(one[key], two[key], `${at}/${key}`);
    if (found) return found;
  }
  return null;
}
