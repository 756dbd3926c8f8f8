// What was said while the agent was at work: sent, in order, as soon as it is done. Survives a reload of the page.
import type { FileUIPart } from "ai";
import { useCallback, useEffect, useRef } from "react";
import { keep, kept, useKept } from "./kept";

export interface Waiting {
  id: string;
  text: string;
  files: FileUIPart[];
}

const NONE: Waiting[] = [];

export function useQueue(name: string, isFree: boolean, send: (text: string, files: FileUIPart[]) => void) {
  const key = `queue.${name}`;
  const [waiting] = useKept<Waiting[]>(key, NONE);
  const sending = useRef(send);
  sending.current = send;

  const set = useCallback((list: Waiting[]) => keep(key, list.length ? list : undefined), [key]);
  const add = useCallback((text: string, files: FileUIPart[]) => set([...kept(key, NONE), { id: crypto.randomUUID?.() ?? String(Math.random()), text, files }]), [key, set]);
  const drop = useCallback((id: string) => set(kept(key, NONE).filter((one) => one.id !== id)), [key, set]);

  const next = waiting[0];
  useEffect(() => {
    // Another tab of this browser may send it first: whoever takes it off the list does.
    if (!isFree || !next || kept(key, NONE)[0]?.id !== next.id) return;
    drop(next.id);
    sending.current(next.text, next.files);
  }, [isFree, next, key, drop]);
  return { waiting, add, drop };
}
