// Pieces of the page that are loaded when they are first needed. The server may be away just then: they are asked for again a few times,
// and then it is said.
import { useCallback, useEffect, useState } from "react";

/** How long is waited between the attempts, in milliseconds. */
const PAUSES = [500, 1000, 2000, 4000];

/** What `load` comes to, if not at first then soon. */
export async function loaded<T>(load: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await (attempt === 0 ? load() : again(load));
    } catch (error) {
      if (attempt === PAUSES.length) throw error;
      await new Promise((done) => setTimeout(done, PAUSES[attempt]));
    }
  }
}

let addresses = 0;

/** Some browsers remember that a module failed, and ask for it no more: they are given another address of the same one each time. */
async function again<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const address = addressIn(error);
    if (!address) throw error;
    return (await import(`${address}?again=${(addresses += 1)}`)) as T;
  }
}

/** The module that a browser says it could not load. Not every browser says. */
function addressIn(error: unknown): string | null {
  const address = /https?:\/\/\S+?\.js/.exec(String(error))?.[0];
  return address && new URL(address).origin === location.origin ? address : null;
}

export interface Piece<T> {
  piece: T | null;
  hasFailed: boolean;
  again: () => void;
}

/** What `load` comes to. `load` is to be the same each time. */
export function useLoaded<T>(load: () => Promise<T>): Piece<T> {
  const [piece, setPiece] = useState<T | null>(null);
  const [hasFailed, setFailed] = useState(false);
  const [count, setCount] = useState(0);
  useEffect(() => {
    let isHere = true;
    setFailed(false);
    loaded(load).then(
      (piece) => isHere && setPiece(() => piece),
      () => isHere && setFailed(true),
    );
    return () => void (isHere = false);
  }, [load, count]);
  const again = useCallback(() => setCount((count) => count + 1), []);
  return { piece, hasFailed, again };
}
