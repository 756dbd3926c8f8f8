// How it stands with the server, whenever it is not simply fine.
import { useEffect, useState } from "react";
import type { LinkState } from "../link";
import { seconds } from "../words";
import { Icon } from "./icon";

export function Status({ link }: { link: LinkState }) {
  if (link.needsToken) return null;
  if (link.phase === "refused" && link.refusal) {
    return (
      <div className="status refused" role="alert">
        <Icon name="alert" />
        <div>
          <strong>{link.refusal.error}</strong>
          {link.refusal.fix && <p>{link.refusal.fix}</p>}
        </div>
        <code>{link.refusal.code}</code>
        <button className="button" onClick={() => location.reload()}>Try again</button>
      </div>
    );
  }
  if (link.phase === "reconnecting" || (link.phase === "connecting" && link.refusal)) return <Away link={link} />;
  return null;
}

function Away({ link }: { link: LinkState }) {
  const now = useNow(1000);
  return (
    <div className="status away" role="status">
      <span className="spinner" />
      <span>
        {navigator.onLine ? "The server does not answer" : "This machine is offline"}, trying again since {seconds(Math.max(0, now - link.since))}. Nothing is lost: what the agent was at goes on.
      </span>
      {link.refusal && <span className="quiet">{[link.refusal.error, link.refusal.fix].filter(Boolean).join(" ")}</span>}
    </div>
  );
}

function useNow(every: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}
