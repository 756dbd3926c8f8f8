// Plays a script against a server. Before each client action it waits until every connection has
// received as much as the recording had at that point (bounded), then for a moment of silence.
import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import WebSocket from "ws";

const POLL_MS = 5;

/** Runs all steps; fills `actual` of every connection and HTTP step. */
export async function play(script, { url, rename, timeouts, relevant }) {
  const session = { base: new URL(url), rename, timeouts, relevant, lastArrival: 0 };
  for (const connection of script.connections) Object.assign(connection, { actual: [], socket: null, excused: 0 });
  let previous = null;
  for (const [index, step] of script.steps.entries()) {
    await arrivals(script, index, session);
    if (!sameBurst(previous, step, index)) await silence(session);
    await perform(step, session);
    previous = step;
  }
  await arrivals(script, script.steps.length + 1, session);
  await silence(session, timeouts.settle);
  for (const { socket } of script.connections) socket?.terminate();
}

// Frames recorded back to back on one connection are sent back to back.
function sameBurst(previous, step, index) {
  const both = previous?.do === "send" && step.do === "send" && previous.connection === step.connection;
  return both && !step.connection.expected.some((event) => event.step === index);
}

async function perform(step, session) {
  const { connection } = step;
  if (step.do === "http") step.actual = await exchange(step.request, session);
  else if (step.do === "connect") await connect(connection, session);
  else if (step.do === "ping") connection.socket.ping(step.payload);
  else if (step.do === "drop") connection.socket.terminate();
  else if (step.do === "close") connection.socket.close(step.code, step.reason);
  else if (connection.socket.readyState === WebSocket.OPEN) {
    connection.socket.send(step.binary ? Uint8Array.from(step.binary) : step.raw);
  } else connection.actual.push({ kind: "cannot-send (socket not open)" });
}

function connect(connection, session) {
  const { base, rename, timeouts } = session;
  const secure = base.protocol === "https:" ? "wss:" : "ws:";
  const target = `${secure}//${base.host}${rename(connection.url)}`;
  const socket = new WebSocket(target, connection.offersProtocol ? ["offered"] : []);
  connection.socket = socket;
  const record = (event) => {
    session.lastArrival = Date.now();
    connection.actual.push(event);
  };
  socket.on("upgrade", (r) => record({ kind: "upgrade", status: r.statusCode, headers: r.headers }));
  socket.on("message", (data, isBinary) =>
    record(isBinary ? { kind: "binary", bytes: [...data] } : { kind: "text", raw: data.toString() }));
  socket.on("pong", (payload) => record({ kind: "pong", payload: payload.toString() }));
  socket.on("close", (code, reason) => code !== 1006 && record({ kind: "close", code, reason: reason.toString() }));
  socket.on("error", (error) => {
    if (/subprotocol/.test(error.message)) record({ kind: "no-subprotocol" });
    else if (!/before the connection was established/.test(error.message)) record({ kind: `error ${error.message}` });
  });
  return new Promise((done) => {
    setTimeout(done, timeouts.frame).unref();
    for (const event of ["open", "error"]) socket.once(event, done);
    socket.on("unexpected-response", async (_request, response) => {
      record({ kind: "refused", ...(await readAnswer(response)) });
      socket.terminate();
      done();
    });
  });
}

// Raw node:http, because the paths must leave exactly as recorded ("//", "..%2f").
function exchange({ method, path, url, headers = {}, body }, { base, rename, timeouts }) {
  return new Promise((done) => {
    const target = { host: base.hostname, port: base.port, method, path: rename(path ?? url), headers };
    const request = http.request({ ...target, timeout: timeouts.close }, async (response) => done(await readAnswer(response)));
    request.on("timeout", () => request.destroy(new Error("no answer in time")));
    request.on("error", (error) => done({ status: 0, statusText: error.message, headers: {}, body: "" }));
    if (body !== undefined && body !== null) request.write(body);
    request.end();
  });
}

async function readAnswer(response) {
  const chunks = [];
  for await (const chunk of response) chunks.push(chunk);
  const { statusCode: status, statusMessage: statusText, headers } = response;
  return { status, statusText, headers, body: Buffer.concat(chunks).toString() };
}

// `relevant` leaves out what only one of the two sides is known to send, so that counts are comparable.
async function arrivals(script, index, { timeouts, relevant }) {
  for (const connection of script.connections) {
    const due = relevant.recorded(connection.expected.filter((event) => event.step <= index));
    const patience = due.some((event) => event.kind === "close") ? timeouts.close : timeouts.frame;
    const until = Date.now() + patience;
    const lacking = () => due.length - connection.excused - relevant.replayed(connection.actual, connection.label).length;
    while (connection.socket && lacking() > 0 && Date.now() < until) await sleep(POLL_MS);
    // What did not come in time is a difference to report, not something to wait for again.
    if (lacking() > 0) connection.excused += lacking();
  }
}

async function silence(session, quiet = session.timeouts.quiet) {
  const start = Date.now();
  while (Date.now() - Math.max(session.lastArrival, start) < quiet) await sleep(POLL_MS);
}
