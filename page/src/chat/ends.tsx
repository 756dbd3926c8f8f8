// What stands at the end of the talk: that the agent works, why it could not, and what waits to be sent.
import type { useQueue } from "../queue";
import { settings } from "../settings";

export function Working({ text }: { text: string }) {
  return (
    <p className="working">
      <span className="shimmer">{text}</span>
    </p>
  );
}

export function Failed({ text, again }: { text: string; again: (() => void) | null }) {
  const isModel = /model|key|provider/i.test(text) && !settings.model;
  return (
    <div className="failed-turn" role="alert">
      <p>{text}</p>
      {isModel && <p className="quiet">Set a provider's key in the environment of the server, such as ANTHROPIC_API_KEY, or a table [models.main] in hostel.toml.</p>}
      {again && (
        <button className="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

export function Queued({ queue }: { queue: ReturnType<typeof useQueue> }) {
  return (
    <section className="queued" aria-label="Waiting to be sent">
      {queue.waiting.map((one) => (
        <div key={one.id} className="message said">
          <button className="icon-button small" aria-label="Do not send this" onClick={() => queue.drop(one.id)}>
            ×
          </button>
          <div className="bubble">
            <span className="tag">next</span>
            <p>{one.text}</p>
          </div>
        </div>
      ))}
    </section>
  );
}
