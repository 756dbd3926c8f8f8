// Canonical text of an answer: what may differ between two runs of the same server is replaced by a
// placeholder, everything else is kept, keys are sorted.

const IGNORED_HEADERS = new Set([
  "connection",
  "keep-alive",
  "date",
  "server",
  "content-length",
  "transfer-encoding",
  "x-request-id", // ours alone, and different each time
]);
const IGNORED_REQUEST_HEADERS = new Set(["user-agent", "accept", "accept-encoding"]);
const STACK = /\n\s+at [^]*$/;

/** A canonicaliser for one side. `names` maps instance names of that side to placeholders. */
export function canonicaliser({ names, hosts }) {
  const literal = (text) => replaceAll(replaceAll(text.replace(STACK, ""), names), hosts);

  function value(input, key) {
    if (Array.isArray(input)) return input.map((item) => value(item));
    if (input && typeof input === "object") return object(input, key);
    if (typeof input === "number") return isEpoch(input) ? "<time>" : input;
    return typeof input === "string" ? string(input, key) : input;
  }

  function object(input, key) {
    const dropped = key === "headers" ? IGNORED_REQUEST_HEADERS : new Set();
    const kept = Object.keys(input).filter((name) => !dropped.has(name));
    return Object.fromEntries(kept.sort().map((name) => [name, value(input[name], name)]));
  }

  function string(input, key) {
    const nested = parseObject(input);
    if (nested !== undefined) return { "<json>": value(nested) };
    const text = literal(input).replace(/^([a-z]+)_\d{13}_[a-z0-9]{9}$/, "$1_<time>_<id:9>");
    return isOpaqueId(text, key) ? `<id:${text.length}>` : text;
  }

  function text(raw) {
    const parsed = parseObject(raw);
    return parsed === undefined ? literal(raw) : JSON.stringify(value(parsed));
  }

  function answer({ status, statusText, headers = {}, body = "" }) {
    const kept = Object.entries(headers).filter(([name]) => !IGNORED_HEADERS.has(name.toLowerCase()));
    const head = Object.fromEntries(kept.map(([name, v]) => [name.toLowerCase(), literal(v)]).sort());
    const { type, ...others } = { type: head["content-type"], ...head };
    delete others["content-type"];
    return [`${status} ${statusText ?? ""}`.trim(), type ?? "", JSON.stringify(others), text(body)].join(" | ");
  }

  function event(item) {
    switch (item.kind) {
      case "text": return text(item.raw);
      case "binary": return `binary [${item.bytes}]`;
      case "pong": return `pong ${item.payload}`;
      case "upgrade": return `upgrade ${item.status} ${extensions(item.headers)}`;
      case "refused": return `refused ${answer({ ...item, statusText: undefined })}`;
      case "close": return `close ${item.code} ${item.reason}`;
      default: return item.kind;
    }
  }

  return { event, answer, text };
}

/** Instance names that were made up for the recorded run and so must be fresh in ours. */
export function madeUpNames(script) {
  const found = script.connections.map(({ url }) => /\/agents\/[^/]+\/([a-z0-9]{5,})(?=[/?]|$)/.exec(url)?.[1]);
  return [...new Set(found.filter(Boolean))].sort((a, b) => b.length - a.length);
}

// Which offered parameters a server takes is its choice; that it takes the extension is compared.
function extensions(headers = {}) {
  return (headers["sec-websocket-extensions"] ?? "none").split(";")[0].trim();
}

function replaceAll(text, pairs) {
  return pairs.reduce((done, [from, to]) => done.replaceAll(from, to), text);
}

function parseObject(text) {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isEpoch(number) {
  return number > 1_600_000_000 && number < 4_000_000_000_000;
}

function isOpaqueId(text, key) {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)) return true;
  if (!/^[\w-]+$/.test(text)) return false;
  if (text.length === 21) return true;
  if (text.length === 9) return key === "id" || /[A-Z0-9_]/.test(text);
  return text.length === 16 && /[A-Z0-9]/.test(text);
}
