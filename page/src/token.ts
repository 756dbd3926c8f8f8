// The token that a server with [auth] wants. For this tab alone, unless its owner says otherwise.
import { useSyncExternalStore } from "react";

const NAME = "hostel.token";
const listeners = new Set<() => void>();
let current = read();

function read(): string | null {
  try {
    return sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME);
  } catch {
    return null;
  }
}

export function useToken(): string | null {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    () => current,
  );
}

export function setToken(token: string | null, stay: boolean) {
  current = token;
  try {
    sessionStorage.removeItem(NAME);
    localStorage.removeItem(NAME);
    if (token) (stay ? localStorage : sessionStorage).setItem(NAME, token);
  } catch {
    // Then it lasts until the page is loaded again.
  }
  for (const listener of listeners) listener();
}

/** What goes with a request. */
export function headers(token: string | null): Record<string, string> {
  return token ? { authorization: `Bearer ${token}` } : {};
}

/** How a socket of a browser shows a token: see "How a client shows its token" in docs/auth.md. */
export function protocols(token: string | null): string[] | undefined {
  return token ? ["hostel", `bearer.${token}`] : undefined;
}
