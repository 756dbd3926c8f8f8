// What this browser keeps: small values in localStorage, seen by every component and every tab at once. A browser that forbids
// it keeps them until the page is left.
import { useCallback, useSyncExternalStore } from "react";

const listeners = new Set<() => void>();
const unkept = new Map<string, string>();
const cache = new Map<string, { text: string | null; value: unknown }>();

addEventListener("storage", () => tell());

function tell() {
  for (const listener of listeners) listener();
}

/** A value under a name. */
export function kept<T>(name: string, otherwise: T): T {
  const text = readText(name);
  const known = cache.get(name);
  if (known && known.text === text) return known.value as T;
  const value = text === null ? otherwise : parse(text, otherwise);
  cache.set(name, { text, value });
  return value;
}

export function keep(name: string, value: unknown) {
  const text = value === undefined ? null : JSON.stringify(value);
  unkept.delete(name);
  try {
    if (text === null) localStorage.removeItem(`hostel.${name}`);
    else localStorage.setItem(`hostel.${name}`, text);
  } catch {
    if (text !== null) unkept.set(name, text);
  }
  tell();
}

export function useKept<T>(name: string, otherwise: T): [T, (value: T) => void] {
  const value = useSyncExternalStore(subscribe, () => kept(name, otherwise));
  const set = useCallback((value: T) => keep(name, value), [name]);
  return [value, set];
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

function readText(name: string): string | null {
  const here = unkept.get(name);
  if (here !== undefined) return here;
  try {
    return localStorage.getItem(`hostel.${name}`);
  } catch {
    return null;
  }
}

function parse<T>(text: string, otherwise: T): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    return otherwise;
  }
}
