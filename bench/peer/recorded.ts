// The application behind the recorded transcripts, on the real SDK. Every observable answer
// (texts, status codes, headers, order of callables) is what the transcripts contain.
import { Agent, StreamingResponse, callable, getAgentByName, routeAgentRequest } from "agents";
import { ChatAgent, ChatDrop, ChatLatest, ToolChild } from "./recorded-chat";

export { ChatAgent, ChatDrop, ChatLatest, ToolChild };

type Env = any;

const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));
const query = (url: string, key: string) => new URL(url).searchParams.get(key);

const RETURNS: Record<string, () => unknown> = {
  undefined: () => undefined,
  null: () => null,
  bigint: () => 10n,
  date: () => new Date(0),
  map: () => new Map([[1, 2]]),
  nan: () => NaN,
  fn: () => () => 1,
  obj: () => ({ a: 1, b: undefined }),
  u8: () => new Uint8Array([1, 2, 3]),
  resp: () => new Response("x"),
};

export class CounterAgent extends Agent<Env, { count: number }> {
  initialState = { count: 0 };
  log: unknown[] = [];
  prop = 5;

  validateStateChange(next: any) {
    if (next && next.count === 666) throw new Error("no evil counts");
  }

  onStateChanged(s: any, source: any) {
    this.log.push({ s, source: source === "server" ? "server" : source.id });
  }

  onMessage(connection: any, message: any) {
    connection.send(typeof message === "string" ? "echo:" + message : message);
  }

  async onRequest(request: Request) {
    const path = new URL(request.url).pathname;
    if (path.endsWith("/boom")) throw new Error("boom http");
    if (path.endsWith("/closeall")) return this.closeAll(request.url);
    if (path.endsWith("/conns")) return this.describeConnections();
    return Response.json({
      method: request.method,
      url: request.url,
      name: this.name,
      headers: Object.fromEntries(request.headers as any),
      body: await request.text(),
    });
  }

  closeAll(url: string) {
    const code = Number(query(url, "code") ?? 1000);
    for (const connection of this.getConnections()) connection.close(code, query(url, "reason") ?? "bye");
    return new Response("closed");
  }

  describeConnections() {
    const all = [...this.getConnections()] as any[];
    return Response.json(all.map(({ id, uri, tags, state }) => ({ id, uri, tags, state })));
  }

  @callable() add(a: number, b: number) {
    return a + b;
  }

  @callable({ description: "increments" }) async inc(n = 1) {
    this.setState({ count: (this.state.count ?? 0) + n });
    return this.state.count;
  }

  @callable() ret(kind: string) {
    return RETURNS[kind]?.();
  }

  @callable() fail(kind: string) {
    if (kind === "string") throw "a string";
    if (kind === "obj") throw { message: "objmsg" };
    throw new TypeError("typed boom");
  }

  @callable({ streaming: true }) async count(stream: StreamingResponse, n: number, mode?: string) {
    for (let i = 0; i < n; i++) {
      stream.send({ i });
      await sleep(5);
    }
    if (mode === "throw") throw new Error("stream boom");
    if (mode === "noend") return;
    if (mode === "error") {
      stream.error("explicit stream error");
    } else if (mode === "endvalue") {
      stream.end({ final: true });
      stream.send("late");
    } else {
      stream.end();
    }
  }

  @callable() async methods() {
    return [...this.getCallableMethods().entries()];
  }

  @callable() async getLog() {
    return this.log;
  }

  @callable() async later(ms: number) {
    await sleep(ms);
    return "late";
  }

  @callable() bc(text: string) {
    this.broadcast(text);
    return "ok";
  }

  @callable() async sched(kind: string) {
    const tick = "onTick" as any;
    switch (kind) {
      case "delay": return this.schedule(1, tick, { k: 1 });
      case "date": return this.schedule(new Date(Date.now() + 3600_000), tick, { k: 2 });
      case "cron": return this.schedule("0 9 * * *", tick, { k: 3 });
      case "every": return this.scheduleEvery(3600, tick, { k: 4 });
      case "bad": return this.schedule(1, "nope" as any, {});
      case "list": return this.listSchedules();
      case "cancelall": return this.cancelAll();
      case "cancelmissing": return this.cancelSchedule("nope");
      case "queue": return this.queue("onQ" as any, { q: 1 });
      case "queues": return this.getQueues();
    }
  }

  async cancelAll() {
    const done: boolean[] = [];
    for (const { id } of await this.listSchedules()) done.push(await this.cancelSchedule(id));
    return done;
  }

  async onTick(p: unknown, s: unknown) {
    this.broadcast(JSON.stringify({ type: "tick", p, s }));
  }

  async onQ(p: unknown, i: unknown) {
    this.broadcast(JSON.stringify({ type: "queued", p, i }));
  }

  @callable() tables() {
    return this.sql`select name, sql from sqlite_master where type in ('table','index') order by name`;
  }

  notCallable() {
    return "secret";
  }
}

export class CoderAgent extends CounterAgent {}
export class MyMCPAgent2 extends CounterAgent {}
export class PlainAgent extends Agent<Env, unknown> {}

export class ROAgent extends Agent<Env, any> {
  initialState = { v: 1 };

  shouldConnectionBeReadonly(_connection: any, ctx: any) {
    return query(ctx.request.url, "ro") === "1";
  }

  shouldSendProtocolMessages(_connection: any, ctx: any) {
    return query(ctx.request.url, "proto") !== "0";
  }

  getConnectionTags(_connection: any, ctx: any) {
    return query(ctx.request.url, "tags")?.split(",") ?? [];
  }

  @callable() setIt(v: unknown) {
    this.setState({ v });
    return "set";
  }

  @callable() getIt() {
    return this.state;
  }

  onConnect(connection: any, ctx: any) {
    const { url } = ctx.request;
    if (query(url, "throw") === "1") throw new Error("connect boom");
    const kick = query(url, "kick");
    if (kick) connection.close(Number(kick), "kicked");
    if (query(url, "hello")) connection.send("hello");
  }
}

export class NoIdAgent extends Agent<Env, any> {
  static options = { sendIdentityOnConnect: false };
  initialState = { s: 1 };
}

export class StartFailAgent extends Agent<Env, unknown> {
  async onStart() {
    throw new Error("start boom");
  }
}

export class ChildAgent extends Agent<Env, any> {
  initialState = { child: true };

  @callable() hi(n: string) {
    return `hi ${n} from ${this.name} parent ${JSON.stringify(this.parentPath)}`;
  }

  async onRequest(request: Request) {
    return Response.json({ child: this.name, url: request.url, path: new URL(request.url).pathname });
  }
}

export class ParentAgent extends Agent<Env, any> {
  initialState = { parent: true };

  async onBeforeSubAgent(_request: Request, child: any) {
    if (child.name === "denied") return new Response("no", { status: 403 });
  }

  @callable() async runTool(text: string) {
    try {
      return await (this as any).runAgentTool(ToolChild, {
        input: { text },
        parentToolCallId: "ptc-1",
        display: { name: "Tool child" },
      });
    } catch (error: any) {
      return "ERR " + error.stack;
    }
  }

  @callable() async callChild(n: string) {
    return ((await this.subAgent(ChildAgent as any, n)) as any).hi("parent");
  }

  async onRequest(request: Request) {
    return new Response("parent " + new URL(request.url).pathname);
  }
}

// ---- the router around them -------------------------------------------------------------------

const CORS_HEADERS = { "Access-Control-Allow-Origin": "https://x.example", "X-Extra": "1" };

function hooks(denied: boolean) {
  const refuse = (lobby: unknown) =>
    new Response("denied", { status: 401, headers: { "x-lobby": JSON.stringify(lobby) } });
  return {
    props: { hello: "wörld" } as any,
    onBeforeConnect: (_request: Request, lobby: unknown) => (denied ? refuse(lobby) : undefined),
    onBeforeRequest: (request: Request, lobby: unknown) => {
      if (denied) return refuse(lobby);
      const headers = new Headers(request.headers);
      headers.set("x-added", "1");
      return new Request(request, { headers });
    },
  };
}

export default {
  async fetch(request: Request, env: Env) {
    const url = new URL(request.url);
    const denied = Boolean(url.searchParams.get("deny"));
    const mounted = async (prefix: string, options: any) => {
      url.pathname = url.pathname.slice(prefix.length);
      return routed(new Request(url, request), options, "nf");
    };
    const routed = async (forward: Request, options: any, missing: string) =>
      (await routeAgentRequest(forward, env, options)) ?? new Response(missing, { status: 404 });

    if (url.pathname.startsWith("/cors/")) return mounted("/cors", { cors: true });
    if (url.pathname.startsWith("/corsh/")) return mounted("/corsh", { cors: CORS_HEADERS });
    if (url.pathname.startsWith("/hook/")) return mounted("/hook", hooks(denied));
    if (url.pathname.startsWith("/api/v1/")) return routed(request, { prefix: "api/v1" }, "nf");
    if (url.pathname.startsWith("/user")) return (await getAgentByName(env.CounterAgent, "the-user")).fetch(request);
    if (url.pathname.startsWith("/direct")) {
      return env.CounterAgent.get(env.CounterAgent.newUniqueId()).fetch(request);
    }
    return routed(request, undefined, "Not found (worker)");
  },
};
