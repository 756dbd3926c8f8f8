// Answering an approval: plainly over the chat's own hook, with "always" or a reason over the doors the server has for that.
import { useCallback, useRef } from "react";
import { isMissing, messageOf } from "./calls";
import type { ToolPart } from "./chat/parts";
import type { Answer } from "./context";
import type { Agent } from "./link";
import { AGENT, settings } from "./settings";

type Plain = (answer: { id: string; approved: boolean }) => unknown;

/** What comes back is why it could not be answered. The function is the same for good: another would make every card anew. */
export function useAnswering(agent: Agent, name: string, headers: Record<string, string>, isOwn: (part: ToolPart) => boolean, plain: Plain) {
  const answer = async (part: ToolPart, given: Answer): Promise<string | null> => {
    const id = part.approval?.id ?? "";
    const door = `/${settings.prefix}/${AGENT}/${encodeURIComponent(name)}/approvals/${encodeURIComponent(id)}`;
    // What a sub-agent asks the hook does not know of.
    if (!isOwn(part)) return posted(door, headers, given);
    if (!given.always && !given.reason) {
      await plain({ id, approved: given.approve });
      return null;
    }
    if (given.always) {
      // The server that knows rules allows what was shown, and no more.
      const ruled = await agent.call("approveAlways", [part.toolCallId]).then(() => null, (error: unknown) => error);
      if (ruled === null) return null;
      if (!isMissing(ruled)) return messageOf(ruled);
    }
    return posted(door, headers, given);
  };
  const now = useRef(answer);
  now.current = answer;
  return useCallback((part: ToolPart, given: Answer) => now.current(part, given), []);
}

async function posted(url: string, headers: Record<string, string>, given: Answer): Promise<string | null> {
  const request = { method: "POST", headers: { ...headers, "content-type": "application/json" }, body: JSON.stringify(given) };
  const answered = await fetch(url, request).catch((error: unknown) => messageOf(error));
  if (typeof answered === "string") return answered;
  if (answered.ok) return null;
  const problem = (await answered.json().catch(() => ({}))) as { detail?: string; fix?: string };
  return [problem.detail ?? `The server answered ${answered.status}.`, problem.fix].filter(Boolean).join(" ");
}
