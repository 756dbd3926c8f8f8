// Calls of the agent's methods, and which of them there are: what is missing is not shown.
import { useCallback, useEffect, useRef, useState } from "react";
import type { Agent } from "./link";

/** Whether a call failed because the server has no such method. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && /does not exist|is not callable|method_not_(found|callable)/.test(error.message);
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** What the server of this connection does not have: asked once, and again after the line was cut, for it may be a newer server. */
const missingOf = new WeakMap<Agent, Set<string>>();

function known(agent: Agent): Set<string> {
  let missing = missingOf.get(agent);
  if (!missing) {
    missing = new Set();
    missingOf.set(agent, missing);
    agent.addEventListener("open", () => missingOf.get(agent)?.clear());
  }
  return missing;
}

export interface Asked<T> {
  value: T | undefined;
  error: string | null;
  /** The server has no such method; `undefined` while it is not known. */
  missing: boolean | undefined;
  loading: boolean;
  again: () => void;
}

/** Asks a method, and again whenever `when` changes. What was answered last stays until the next answer is there. */
export function useAsked<T>(agent: Agent | null, method: string, args: unknown[], when: unknown): Asked<T> {
  const [state, setState] = useState<Omit<Asked<T>, "again">>({ value: undefined, error: null, missing: undefined, loading: true });
  const [count, setCount] = useState(0);
  const text = JSON.stringify(args);
  const latest = useRef(0);

  useEffect(() => {
    if (!agent || when === null || known(agent).has(method)) return;
    const turn = ++latest.current;
    const isLatest = () => latest.current === turn;
    setState((before) => ({ ...before, loading: true }));
    agent.call<T>(method, JSON.parse(text) as unknown[]).then(
      (value) => isLatest() && setState({ value, error: null, missing: false, loading: false }),
      (error: unknown) => {
        if (!isLatest()) return;
        const missing = isMissing(error);
        if (missing) known(agent).add(method);
        setState((before) => ({ ...before, error: missing ? null : messageOf(error), missing, loading: false }));
      },
    );
  }, [agent, method, text, when, count]);

  const again = useCallback(() => setCount((count) => count + 1), []);
  return { ...state, again };
}
