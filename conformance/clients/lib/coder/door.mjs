// The door of the fake GitHub: everything that goes to it passes here, is counted, and can be lost on either way.
import http from "node:http";

/**
 * `passed` counts requests since the last `arm`. `arm(isIt, way, strike)` strikes at the first request of which `isIt(line, number)` is true: "there"
 * before it is passed on, which it then never is; "back" when its answer is there, which then never comes.
 */
export function door(to) {
  const gate = { port: 0, passed: 0, seen: [] };
  const server = http.createServer((request, response) => {
    const body = [];
    request.on("error", () => undefined);
    response.on("error", () => undefined);
    request.on("data", (piece) => body.push(piece));
    request.on("end", () => void pass(gate, to, request, Buffer.concat(body), response));
  });
  gate.arm = (isIt, way, strike) => Object.assign(gate, { passed: 0, seen: [], isIt, way, strike });
  gate.close = () => (server.closeAllConnections(), server.close());
  return new Promise((done) => server.listen(0, "127.0.0.1", () => ((gate.port = server.address().port), done(gate))));
}

async function pass(gate, to, request, body, response) {
  const line = `${request.method} ${request.url}`;
  gate.seen.push(line);
  const strike = taken(gate, line, ++gate.passed);
  const lose = () => (strike(), request.socket.destroy());
  if (strike && gate.way === "there") return lose();
  // The fake tells its own address in what it answers: everything has to come back through here.
  const onward = http.request({ host: "127.0.0.1", port: to.port, method: request.method, path: request.url, headers: { ...request.headers, connection: "close" } }, (answer) => {
    const pieces = [];
    answer.on("data", (piece) => pieces.push(piece));
    answer.on("end", () => {
      if (strike) return lose();
      const { connection: _, "transfer-encoding": __, ...headers } = answer.headers;
      const whole = Buffer.concat(pieces);
      response.writeHead(answer.statusCode, { ...headers, "content-length": whole.length }).end(whole);
    });
  });
  onward.on("error", () => request.socket.destroy());
  onward.end(body);
}

// Once: requests that are like it may follow.
function taken(gate, line, number) {
  if (!gate.strike || !gate.isIt(line, number)) return null;
  const { strike } = gate;
  gate.strike = null;
  return strike;
}
