// The line to the agent: the real useAgent, and how it stands with it.
import { useAgent } from "agents/react";
import { useEffect, useMemo, useRef, useState } from "react";
import { settings } from "./settings";
import { waitingIn, type Waiting } from "./shell/waits";
import { protocols, useToken } from "./token";

/** Why the server would not have us, in its own words. */
export interface Refusal {
  code: string;
  error: string;
  fix?: string;
}

export type Phase = "connecting" | "open" | "reconnecting" | "refused";

export interface LinkState {
  phase: Phase;
  /** Since when, in milliseconds. */
  since: number;
  refusal: Refusal | null;
  /** The server wants a token, or another one. */
  needsToken: boolean;
}

type Options = Parameters<typeof useAgent>[0];
export type Agent = ReturnType<typeof useAgent<unknown>>;

/** How the server closes a socket whose token is missing, wrong or over. */
const TOKEN_CLOSES = [4401, 3000];

const FIRST: LinkState = { phase: "connecting", since: Date.now(), refusal: null, needsToken: false };

/** An agent's socket, its state in words, how often it told of something that is no part of its state, and which of its MCP servers wait
 * until somebody signs in. */
export function useLink(options: Pick<Options, "agent" | "name" | "onStateUpdate" | "enabled">): [Agent, LinkState, number, Waiting[]] {
  const token = useToken();
  const [state, setState] = useState<LinkState>(FIRST);
  const [news, setNews] = useState(0);
  const [waits, setWaits] = useState<Waiting[]>([]);
  const refusal = useRef<Refusal | null>(null);
  const offered = useMemo(() => protocols(token), [token]);

  const agent = useAgent<unknown>({
    ...options,
    host: location.host,
    prefix: settings.prefix,
    protocol: location.protocol === "https:" ? "wss" : "ws",
    protocols: offered,
    maxReconnectionDelay: 8000,
    onOpen: () => (refusal.current = null),
    onIdentity: () => setState({ phase: "open", since: Date.now(), refusal: null, needsToken: false }),
    onMessage: (message: MessageEvent) => {
      const told = refusalIn(message.data);
      if (told) refusal.current = told;
      if (hasChanged(message.data)) setNews((count) => count + 1);
    },
    onMcpUpdate: ({ servers }) => {
      setWaits((before) => alike(before, waitingIn(servers)));
      if (Object.keys(servers).length > 0) setNews((count) => count + 1);
    },
    onClose: (event: CloseEvent) => setState((before) => closed(before, event, refusal.current)),
  });

  const error = agent.connectionError;
  useEffect(() => {
    if (error) setState((before) => ({ ...before, phase: "refused", refusal: refusal.current ?? fromClose(error.code, error.reason) }));
  }, [error]);
  return [agent, state, news, waits];
}

/** What is there already, if it is the same: nothing is drawn anew for it. */
const alike = (before: Waiting[], now: Waiting[]) => (JSON.stringify(before) === JSON.stringify(now) ? before : now);

function closed(before: LinkState, event: CloseEvent, refusal: Refusal | null): LinkState {
  const needsToken = TOKEN_CLOSES.includes(event.code);
  const why = refusal ?? (event.reason ? fromClose(event.code, event.reason) : null);
  const phase = needsToken ? "refused" : before.phase === "connecting" ? "connecting" : "reconnecting";
  return { phase, since: before.phase === phase ? before.since : Date.now(), refusal: why, needsToken };
}

/** Terminals, the policy, the model: whoever shows them asks again. */
const hasChanged = (data: unknown) => typeof data === "string" && data.startsWith('{"type":"hostel_changed"');

/** The server sends a frame with code, sentence and fix before it closes. */
function refusalIn(data: unknown): Refusal | null {
  if (typeof data !== "string" || !data.includes('"hostel_error"')) return null;
  try {
    const frame = JSON.parse(data) as Refusal & { type?: string };
    return frame.type === "hostel_error" ? { code: frame.code, error: frame.error, fix: frame.fix } : null;
  } catch {
    return null;
  }
}

/** What a close frame has room for: `code: sentence`. */
function fromClose(code: number, reason: string): Refusal {
  const split = /^([a-z_]+): (.*)$/s.exec(reason);
  if (split) return { code: split[1], error: split[2] };
  return { code: String(code), error: reason || `The server closed the connection (${code}).` };
}
