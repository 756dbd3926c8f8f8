// Going back to before a message, taking that back, and going another way from there.
import type { UIMessage } from "ai";
import { useCallback } from "react";
import { messageOf } from "./calls";
import { textOf } from "./chat/parts";
import { draftKey } from "./composer";
import { noteConversation } from "./conversations";
import type { Agent } from "./link";
import { freshName, go } from "./route";
import type { Notice } from "./shell/ask";

interface Where {
  agent: Agent;
  name: string;
  title: string;
  /** Puts a text where people write. */
  put: (text: string) => void;
  tell: (notice: Notice) => void;
}

export function useGoingBack({ agent, name, title, put, tell }: Where) {
  const undo = useCallback(async () => {
    try {
      const { files } = await agent.call<{ files?: boolean }>("undoRewind", []);
      put("");
      tell({ text: files ? "Talk and files are as they were before you went back." : "The talk is as it was before you went back." });
    } catch (error) {
      tell({ text: messageOf(error) });
    }
  }, [agent, put, tell]);

  const rewind = useCallback(
    async (message: UIMessage) => {
      try {
        const { files } = await agent.call<{ files?: boolean }>("rewind", [{ messageId: message.id, files: true }]);
        put(textOf(message));
        const text = files ? "Talk and files are as they were before that message." : "The talk is as it was before that message.";
        tell({ text, yes: "Undo", act: () => void undo() });
      } catch (error) {
        tell({ text: messageOf(error) });
      }
    },
    [agent, put, tell, undo],
  );

  const fork = useCallback(
    async (message: UIMessage) => {
      try {
        const made = await agent.call<{ name: string }>("fork", [{ messageId: message.id, name: freshName() }]);
        noteConversation(made.name, { title: `${title || name}, another way` });
        sessionStorage.setItem(draftKey(made.name), textOf(message));
        go(made.name);
      } catch (error) {
        tell({ text: messageOf(error) });
      }
    },
    [agent, name, title, tell],
  );
  return { rewind, fork };
}
