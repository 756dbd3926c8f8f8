// Turns a transcript (JSON lines) into a script: client actions in order, and what each connection
// and each HTTP exchange answered.
import { readFileSync } from "node:fs";
import { basename } from "node:path";

/** @returns {{id: string, version: string, scenario: string, steps: object[], connections: object[]}} */
export function readScript(file) {
  const id = basename(file, ".jsonl");
  const [, version, scenario] = /^(\d+\.\d+\.\d+)-(.*)$/.exec(id);
  const lines = readFileSync(file, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line));
  return { id, version, scenario, ...buildScript(lines) };
}

export function buildScript(lines) {
  const script = { steps: [], connections: [] };
  const open = new Map();
  let note = "";
  for (const [index, line] of lines.entries()) {
    if (isDrop(line, index, lines)) script.steps.push({ do: "drop", note, connection: open.get(line.conn) });
    else if (line.note) note = line.note;
    else if (line.http) script.steps.push({ do: "http", note, request: line.http, expected: answerOf(line) });
    else addConnectionLine(script, open, line, note);
  }
  return script;
}

// Between other actions, a 1006 on an open socket is the recording client pulling the plug. At the end of
// a file it only tidied up.
function isDrop(line, index, lines) {
  if (line.event !== "close" || line.code !== 1006) return false;
  const before = lines.slice(0, index).filter(({ conn, event }) => conn === line.conn && event);
  const life = before.slice(before.findLastIndex(({ event }) => event === "connect")).map(({ event }) => event);
  const alive = life.includes("open") && !life.includes("client-close") && !life.includes("error");
  return alive && lines.slice(index).some(({ http, event, dir }) => http || event === "connect" || dir === "send");
}

// A connection name may be used again after its socket is gone, so each `connect` opens a new record.
function addConnectionLine(script, open, line, note) {
  if (line.event === "connect") {
    const seen = script.connections.filter((c) => c.name === line.conn).length;
    const label = seen ? `${line.conn}#${seen + 1}` : line.conn;
    const connection = { name: line.conn, label, url: line.url, expected: [], offersProtocol: false };
    open.set(line.conn, connection);
    script.connections.push(connection);
    script.steps.push({ do: "connect", note, connection });
    return;
  }
  const connection = open.get(line.conn);
  if (line.dir === "send") {
    script.steps.push({ do: "send", note, connection, raw: line.raw, binary: line.binary });
  } else if (line.event === "client-close") {
    connection.closedByClient = { code: line.code, reason: line.reason };
    script.steps.push({ do: "close", note, connection, code: line.code, reason: line.reason });
  } else {
    addExpectation(script, connection, line, note);
  }
}

function addExpectation(script, connection, line, note) {
  const step = script.steps.length;
  const expect = (event) => connection.expected.push({ ...event, step, note });
  if ("pong" in line) {
    script.steps.push({ do: "ping", note, connection, payload: line.pong });
    connection.expected.push({ kind: "pong", payload: line.pong, step: step + 1, note });
  } else if (line.dir === "recv") {
    expect(line.binary ? { kind: "binary", bytes: line.binary } : { kind: "text", raw: line.raw });
  } else if (line.event === "upgrade") {
    expect({ kind: "upgrade", status: line.status, headers: line.headers });
  } else if (line.event === "unexpected-response") {
    expect({ kind: "refused", ...answerOf(line) });
  } else if (line.event === "error" && /subprotocol/.test(line.message)) {
    connection.offersProtocol = true;
    expect({ kind: "no-subprotocol" });
  } else if (line.event === "close" && line.code !== 1006) {
    expect({ kind: "close", code: line.code, reason: line.reason });
  }
  // 1006 is the recording client dropping its sockets at the end (or after a refusal): no answer.
}

function answerOf({ status, statusText, headers, body }) {
  return { status, statusText, headers, body };
}
