// Serves the bundled page. With `upstream`, everything else is passed on to the agent server, so that
// page and agents share one origin.
import http from "node:http";
import { connect } from "node:net";

/** @returns {Promise<{port: number, close(): void}>} */
export function pageServer({ bundles, upstream }) {
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://page");
    if (pathname === "/page") return void answer(response, "text/html; charset=utf-8", html(request.url));
    const bundle = bundles[/^\/page-(.+)\.js$/.exec(pathname)?.[1]];
    if (bundle) return void answer(response, "text/javascript; charset=utf-8", bundle);
    if (upstream) return passOn(request, response, upstream);
    response.writeHead(404).end();
  });
  if (upstream) server.on("upgrade", (request, socket, head) => tunnel(request, socket, head, upstream));
  return new Promise((done) => {
    server.listen(0, "127.0.0.1", () => {
      done({ port: server.address().port, close: () => (server.closeAllConnections(), server.close()) });
    });
  });
}

function html(url) {
  const version = new URL(url, "http://page").searchParams.get("v");
  return `<!doctype html><title>agent</title><div id="root"></div><script type="module" src="/page-${version}.js"></script>`;
}

function answer(response, type, body) {
  response.writeHead(200, { "content-type": type, "cache-control": "no-store" }).end(body);
}

function passOn(request, response, { hostname, port }) {
  const { method, url: path, headers } = request;
  const onward = http.request({ hostname, port, method, path, headers }, (answered) => {
    response.writeHead(answered.statusCode, answered.headers);
    answered.pipe(response);
  });
  onward.on("error", () => response.writeHead(502).end("the agent server does not answer"));
  request.pipe(onward);
}

function tunnel(request, socket, head, { hostname, port }) {
  const onward = connect(port, hostname, () => {
    const lines = [];
    for (let i = 0; i < request.rawHeaders.length; i += 2) lines.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
    onward.write(`${request.method} ${request.url} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
    onward.write(head);
    onward.pipe(socket).pipe(onward);
  });
  for (const [one, other] of [[socket, onward], [onward, socket]]) {
    one.on("error", () => other.destroy());
    one.on("close", () => other.destroy());
  }
}
