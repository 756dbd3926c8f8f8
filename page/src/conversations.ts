// The conversations there are: from the agent that keeps the list for all clients, and, besides, what this browser has opened.
import { useCallback, useMemo, useState } from "react";
import { isMissing } from "./calls";
import { keep, kept, useKept } from "./kept";
import { useLink } from "./link";
import { useToken } from "./token";

export interface Conversation {
  name: string;
  title: string;
  /** When something last happened in it, in milliseconds. */
  at: number;
  working: boolean;
  /** Somebody has to say yes or no. */
  waiting: boolean;
}

interface Listed {
  conversations?: (Omit<Conversation, "at"> & { agent: string; at: string | number })[];
}

const OWN = "conversations";
const LIST = "conversations";
const NONE: Conversation[] = [];

export function useConversations() {
  const [shared, setShared] = useState<Conversation[] | null>(null);
  const [own] = useKept<Conversation[]>(OWN, NONE);
  const [mine, setMine] = useState<Conversation[]>(NONE);
  const token = useToken();
  const [agent, link] = useLink({ agent: LIST, name: "default", onStateUpdate: (state) => setShared(fromState(state as Listed)) });
  // Somebody who is known has a list besides the one that is everybody's.
  const [personal] = useLink({ agent: LIST, name: "me", enabled: token !== null, onStateUpdate: (state) => setMine(fromState(state as Listed)) });
  const isShared = shared !== null && link.phase !== "refused";
  const list = useMemo(() => merged(isShared ? [...shared, ...mine] : mine, own), [isShared, shared, mine, own]);
  const tell = useCallback(
    async (method: string, what: { name: string; title?: string }) => {
      const has = (list: Conversation[] | null) => list?.some((one) => one.name === what.name);
      if (has(shared)) await quietly(agent.call(method, [what]));
      if (has(mine)) await quietly(personal.call(method, [what]));
    },
    [agent, personal, shared, mine],
  );

  const rename = useCallback(
    async (name: string, title: string) => {
      change(name, { title });
      await tell("rename", { name, title });
    },
    [tell],
  );
  const forget = useCallback(
    async (name: string) => {
      keep(OWN, kept<Conversation[]>(OWN, NONE).filter((one) => one.name !== name));
      await tell("forget", { name });
    },
    [tell],
  );
  return { list, rename, forget };
}

/** Notes that a conversation was opened or went on. */
export function noteConversation(name: string, what: Partial<Conversation>) {
  const own = kept<Conversation[]>(OWN, NONE);
  if (own.some((one) => one.name === name)) return change(name, what);
  keep(OWN, [{ name, title: "", at: Date.now(), working: false, waiting: false, ...what }, ...own].slice(0, 200));
}

function change(name: string, what: Partial<Conversation>) {
  const own = kept<Conversation[]>(OWN, NONE);
  const before = own.find((one) => one.name === name);
  if (before && Object.entries(what).every(([key, value]) => before[key as keyof Conversation] === value)) return;
  keep(OWN, own.map((one) => (one.name === name ? { ...one, ...what } : one)));
}

function fromState({ conversations = [] }: Listed): Conversation[] {
  return conversations.map((one) => ({ ...one, title: one.title ?? "", at: typeof one.at === "number" ? one.at : Date.parse(one.at) || 0 }));
}

/** The list of the server has the last word; what it does not know of stays. */
function merged(shared: Conversation[], own: Conversation[]): Conversation[] {
  const known = new Map(own.map((one) => [one.name, { ...one, working: false, waiting: false }]));
  for (const one of shared) known.set(one.name, { ...one, title: one.title || known.get(one.name)?.title || "" });
  return [...known.values()].sort((a, b) => b.at - a.at);
}

async function quietly(call: Promise<unknown>) {
  await call.catch((error: unknown) => {
    if (!isMissing(error)) console.warn(String(error));
  });
}
