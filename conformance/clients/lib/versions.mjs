// The published clients under test and what each generation can do.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(import.meta.url);

const NONE = { kebab: true, stub: true, identity: true, stateError: true, basePath: true, terminalClose: true, subAgents: true, mcp: true };
const can = (changes) => ({ ...NONE, ...changes });

/**
 * kebab: the client turns `CounterAgent` into `counter-agent` itself; stub: `client.stub.method()`;
 * subAgents: the server of that age had agents under others; mcp: `onMcpUpdate`; identity: `ready`, `identified`; stateError: `onStateUpdateError`; basePath: the option; terminalClose: 1008 and 4000
 * to 4999 end reconnection.
 */
export const VERSIONS = {
  "0.0.43": can({ kebab: false, stub: false, identity: false, stateError: false, basePath: false, terminalClose: false, subAgents: false, mcp: false }),
  "0.0.113": can({ stub: false, identity: false, stateError: false, basePath: false, terminalClose: false, subAgents: false }),
  "0.2.35": can({ stub: false, identity: false, stateError: false, terminalClose: false, subAgents: false }),
  "0.21.0": can({}),
  "0.32.0": can({}),
};

/** Loads `agents/client` of one version. */
export async function loadClient(version) {
  const module = await import(pathToFileURL(require.resolve(`agents-${version.replaceAll(".", "-")}/client`)));
  return { version, ...VERSIONS[version], AgentClient: module.AgentClient, agentFetch: module.agentFetch };
}

/** The slug rule shared by clients and servers. */
export function kebab(name) {
  if (name === name.toUpperCase() && name !== name.toLowerCase()) return name.toLowerCase().replaceAll("_", "-");
  const dashed = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return dashed.replace(/^-/, "").replaceAll("_", "-").replace(/-$/, "");
}
