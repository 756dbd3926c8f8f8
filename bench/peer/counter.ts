// The benchmark application: the same CounterAgent that `hostel-bench` serves, on the real SDK.
import { Agent, callable, routeAgentRequest, type Connection, type WSMessage } from "agents";

export class CounterAgent extends Agent<unknown, { count: number }> {
  initialState = { count: 0 };

  @callable() ping() {
    return "pong";
  }

  @callable() increment() {
    const count = this.state.count + 1;
    this.setState({ count });
    return count;
  }

  onMessage(connection: Connection, message: WSMessage) {
    connection.send(message);
  }
}

export default {
  async fetch(request: Request, env: unknown) {
    if (new URL(request.url).pathname === "/healthz") return new Response("ok");
    return (await routeAgentRequest(request, env as never)) ?? new Response("Not found", { status: 404 });
  },
};
