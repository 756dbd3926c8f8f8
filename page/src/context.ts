// What every part of a conversation may use.
import type { UIMessage } from "ai";
import { createContext, useContext } from "react";
import type { Agent } from "./link";
import type { HelperRun } from "./chat/helpers";
import type { ToolPart } from "./chat/parts";

export interface Answer {
  approve: boolean;
  always?: boolean;
  reason?: string;
}

export interface ConversationContext {
  name: string;
  agent: Agent;
  /** Whether the line is up. */
  isOpen: boolean;
  isBusy: boolean;
  /** Changes whenever the workspace, or something else that is asked for, may have changed. */
  changed: string;
  /** Answers an approval; what comes back is why it could not be. */
  answer: (part: ToolPart, answer: Answer) => Promise<string | null>;
  /** Puts the conversation, and the files if the server keeps snapshots, back to before a message. */
  rewind: ((message: UIMessage) => void) | null;
  fork: ((message: UIMessage) => void) | null;
  regenerate: (() => void) | null;
  show: (path: string) => void;
  /** Sub-agents that work for a call. */
  helpersOf: (toolCallId: string) => HelperRun[];
}

export const Context = createContext<ConversationContext | null>(null);

export function useConversation(): ConversationContext {
  const context = useContext(Context);
  if (!context) throw new Error("outside of a conversation");
  return context;
}
