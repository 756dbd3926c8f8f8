// Which answer is under way, whoever asked for it: the hook knows it only of what this tab asked for.
import { useEffect, useRef } from "react";
import type { Agent } from "./link";

export function useLiveTurn(agent: Agent) {
  const live = useRef<string | null>(null);
  useEffect(() => {
    const listen = (event: Event) => {
      const data: unknown = (event as MessageEvent).data;
      if (typeof data !== "string" || !data.includes('"cf_agent_use_chat_response"')) return;
      const frame = JSON.parse(data) as { type: string; id: string; done: boolean };
      if (frame.type === "cf_agent_use_chat_response") live.current = frame.done ? null : frame.id;
    };
    agent.addEventListener("message", listen);
    return () => agent.removeEventListener("message", listen);
  }, [agent]);
  return live;
}
