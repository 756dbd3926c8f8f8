// What a page writes against the types that `hostel types` prints. Checked by tsc, never run: each line marked as an
// error must be one.
import { AgentClient } from "agents-0-32-0/client";
import { useAgent } from "agents-0-32-0/react";
import type { CoderAgent, CoderAgentState } from "./agents";

export async function withTheClient(): Promise<string | null | undefined> {
  const client = new AgentClient<CoderAgent, CoderAgentState>({ agent: "coder-agent", name: "a", host: "localhost:8787" });
  const set = await client.stub.setProjectContext({ repoOwner: "o", branch: null });
  const success: boolean = set.success;
  const owner: string | null | undefined = set.context.repoOwner;
  client.setState({ repoName: success ? "r" : null });
  // @ts-expect-error a field that is none of the state's
  client.setState({ repository: "r" });
  // @ts-expect-error a branch is text
  await client.stub.setProjectContext({ branch: 5 });
  // @ts-expect-error no such method
  await client.stub.setContext({});
  return owner;
}

export function withTheHook(): string | null | undefined {
  const agent = useAgent<CoderAgent, CoderAgentState>({ agent: "coder-agent", onStateUpdate: (state) => void state.path });
  void agent.stub.getProjectContext().then((context) => context.branch satisfies string | null | undefined);
  // @ts-expect-error getProjectContext takes nothing
  void agent.stub.getProjectContext("all");
  return agent.state?.repoName;
}
