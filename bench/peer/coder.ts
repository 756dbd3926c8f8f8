// The project-context agent of the acceptance script, on the real SDK. The class is bound under the
// spellings that clients of several ages use, because the SDK's own router compares them verbatim.
import { Agent, callable, routeAgentRequest } from "agents";

export class CoderAgent extends Agent<unknown, any> {
  initialState = { projectContext: null };

  @callable() setProjectContext(context: unknown) {
    this.setState({ ...this.state, projectContext: context });
    return { success: true };
  }

  @callable() getProjectContext() {
    return this.state.projectContext;
  }

  @callable() getMessages() {
    return [];
  }
}

export default {
  async fetch(request: Request, env: unknown) {
    const url = new URL(request.url);
    url.pathname = url.pathname.replace(/^\/agents\/CoderAgent\//, "/agents/coder-agent/");
    if (url.pathname === "/healthz") return new Response("ok");
    return (await routeAgentRequest(new Request(url, request), env as never)) ?? new Response("nf", { status: 404 });
  },
};
