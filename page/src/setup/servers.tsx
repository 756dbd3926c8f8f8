// MCP servers that the project names: how each stands, and the yes to exactly its entry.
import { useState } from "react";
import { messageOf, useAsked } from "../calls";
import type { Agent } from "../link";
import { SignInLink, type Waiting } from "../shell/waits";
import { Spinner } from "../tools/card";

interface Server {
  name: string;
  entry?: Record<string, unknown>;
  hash?: string;
  state: string;
  error?: string;
}

interface Named {
  servers: Server[];
  error?: string;
}

const WORDS: Record<string, string> = { "not-allowed": "waits for a yes", changed: "is another one since somebody said yes", unusable: "cannot be used", "not-connected": "connected when it is needed", ready: "ready", failed: "failed", authenticating: "waits until somebody signs in" };

export function Servers({ agent, when, waits }: { agent: Agent; when: unknown; waits: Waiting[] }) {
  const asked = useAsked<Named>(agent, "projectMcp", [], when);
  const [busy, setBusy] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const { value, again, missing } = asked;
  if (missing !== false || !value || (value.servers.length === 0 && !value.error)) return null;
  const act = (server: Server, method: string, args: unknown[]) => {
    setBusy(server.name);
    setProblem(null);
    const done = () => (setBusy(null), again());
    agent.call(method, args).then(done, (error: unknown) => (setProblem(messageOf(error)), done()));
  };
  return (
    <section aria-labelledby="setup-mcp">
      <h3 id="setup-mcp">MCP servers of the project</h3>
      {value.error && <p className="reason" role="alert">{value.error}</p>}
      <ul className="servers">
        {value.servers.map((server) => (
          <li key={server.name} data-state={server.state}>
            <div className="server-line">
              <i />
              <strong>{server.name}</strong>
              <span className="quiet">{WORDS[server.state] ?? server.state}</span>
              <span className="grow" />
              {busy === server.name && <Spinner label="working" />}
              {server.hash && (server.state === "not-allowed" || server.state === "changed") && (
                <button className="button small primary" disabled={busy !== null} aria-label={`Use the MCP server ${server.name}`} onClick={() => act(server, "allowProjectMcp", [{ server: server.name, hash: server.hash }])}>
                  Use it
                </button>
              )}
              {server.hash && server.state !== "not-allowed" && (
                <button className="button small plain" disabled={busy !== null} aria-label={`Use the MCP server ${server.name} no more`} onClick={() => act(server, "forgetProjectMcp", [server.name])}>
                  Use no more
                </button>
              )}
            </div>
            {server.entry && <pre tabIndex={0}>{entryText(server.entry)}</pre>}
            {server.state === "authenticating" && waits.filter(({ name }) => name === server.name).map((one) => <SignInLink key={one.name} waiting={one} />)}
            {server.error && <p className="reason">{server.error}</p>}
          </li>
        ))}
      </ul>
      {problem && <p className="reason" role="alert">{problem}</p>}
      <p className="quiet">Named in .mcp.json. A yes is for the entry as it is here; programs run in the sandbox of the workspace, and each call of a tool asks.</p>
    </section>
  );
}

/** A program as a command line, and everything else of the entry as it is. */
function entryText(entry: Record<string, unknown>): string {
  const { type, command, args, url, ...rest } = entry;
  const first = type === "http" ? String(url) : [command, ...(Array.isArray(args) ? args : [])].map((word) => quoted(String(word))).join(" ");
  return Object.keys(rest).length ? `${first}\n${JSON.stringify(rest, null, 2)}` : first;
}

const quoted = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
