// Which conversation the address is of: /c/NAME.
import { useSyncExternalStore } from "react";

const listeners = new Set<() => void>();
addEventListener("popstate", tell);

function tell() {
  for (const listener of listeners) listener();
}

export function nameFrom(path: string): string | null {
  const found = /^\/c\/([^/]+)\/?$/.exec(path)?.[1];
  if (!found) return null;
  try {
    return decodeURIComponent(found);
  } catch {
    return null;
  }
}

export const pathOf = (name: string) => `/c/${encodeURIComponent(name)}`;

export function useName(): string | null {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    () => nameFrom(location.pathname),
  );
}

export function go(name: string, how: "push" | "replace" = "push") {
  const path = pathOf(name);
  if (location.pathname === path) return;
  if (how === "push") history.pushState(null, "", path);
  else history.replaceState(null, "", path);
  tell();
}

const WORDS = ["amber", "birch", "cedar", "cove", "dune", "elm", "fern", "fjord", "grove", "heath", "isle", "juniper", "lake", "larch", "maple", "marsh", "mesa", "oak", "pine", "reef", "ridge", "river", "shoal", "slate", "spruce", "stone", "tarn", "vale", "willow"];

/** A name nobody has yet, that can be said aloud. */
export function freshName(): string {
  const random = crypto.getRandomValues(new Uint32Array(2));
  const word = WORDS[random[0] % WORDS.length];
  return `${word}-${(random[1] % 0x100000).toString(36).padStart(4, "0")}`;
}
