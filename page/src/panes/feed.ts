// What a terminal says, asked for once per page and kept: who closes the pane and opens it again sees all of it, and the server
// has one stream to send, not one for each time somebody looked.
import { messageOf } from "../calls";
import type { Agent } from "../link";

export type Id = number | string;

interface Piece {
  from?: number;
  data?: string;
  exit?: unknown;
}

interface Viewer {
  write: (text: string) => void;
  end: (how: string) => void;
}

/** More than a screen can scroll back to is not kept. */
const KEPT = 1 << 20;

class Feed {
  private from = 0;
  private text = "";
  private ended: string | null = null;
  private readonly viewers = new Set<Viewer>();

  constructor(
    private readonly agent: Agent,
    private readonly id: Id,
  ) {
    // After the line was cut, the rest is asked for from where it stopped.
    agent.addEventListener("open", () => this.follow());
    this.follow();
  }

  watch(viewer: Viewer): () => void {
    viewer.write(this.text);
    if (this.ended !== null) viewer.end(this.ended);
    this.viewers.add(viewer);
    return () => void this.viewers.delete(viewer);
  }

  private follow() {
    if (this.ended !== null) return;
    const stream = { onChunk: (piece: unknown) => this.take(piece as Piece), onDone: (last: unknown) => this.end(wordsOf((last as Piece | undefined)?.exit)) };
    this.agent.call("terminalOutput", [{ id: this.id, from: this.from }], { stream }).catch((error: unknown) => {
      // Whoever is cut off asks again; everything else is the end.
      if (this.agent.readyState === WebSocket.OPEN && !/connection|closed|timed? ?out/i.test(messageOf(error))) this.end(messageOf(error));
    });
  }

  private take({ from = this.from, data = "" }: Piece) {
    this.from = from + new TextEncoder().encode(data).length;
    this.text = (this.text + data).slice(-KEPT);
    for (const viewer of this.viewers) viewer.write(data);
  }

  private end(how: string) {
    this.ended = how;
    for (const viewer of this.viewers) viewer.end(how);
  }
}

const feeds = new WeakMap<Agent, Map<Id, Feed>>();

export function feedOf(agent: Agent, id: Id): Feed {
  const known = feeds.get(agent) ?? new Map<Id, Feed>();
  feeds.set(agent, known);
  const feed = known.get(id) ?? new Feed(agent, id);
  known.set(id, feed);
  return feed;
}

function wordsOf(exit: unknown): string {
  if (typeof exit === "string" && exit) return exit;
  return typeof exit === "number" ? `It ended with ${exit}.` : "It ended.";
}
