// What a message consists of, as this page needs it.
import type { UIMessage } from "ai";

export type Part = UIMessage["parts"][number];

export type ToolState = "input-streaming" | "input-available" | "approval-requested" | "approval-responded" | "output-available" | "output-error" | "output-denied";

/** A call of a tool, whichever kind of part it is. */
export interface ToolPart {
  type: string;
  toolName?: string;
  toolCallId: string;
  state: ToolState;
  input?: unknown;
  output?: unknown;
  errorText?: string;
  preliminary?: boolean;
  approval?: { id: string; approved?: boolean; reason?: string };
}

/** What an approval would do. */
export interface Preview {
  toolCallId: string;
  diff?: string;
  command?: string;
  text?: string;
  /** What "always" would allow, if that is less than the whole tool. */
  always?: string;
}

export const isTool = (part: Part): boolean => part.type.startsWith("tool-") || part.type === "dynamic-tool";
export const toolPart = (part: Part): ToolPart => part as unknown as ToolPart;
export const nameOf = (part: ToolPart): string => part.toolName ?? part.type.replace(/^tool-/, "");

export function isSettled({ state }: ToolPart): boolean {
  return state === "output-available" || state === "output-error" || state === "output-denied";
}

export const isAsking = (part: ToolPart): boolean => part.state === "approval-requested" && part.approval !== undefined && part.approval.approved === undefined;

/** The calls that wait for a yes or no, oldest first. */
export function asking(messages: UIMessage[]): ToolPart[] {
  return messages.flatMap((message) => message.parts.filter(isTool).map(toolPart).filter(isAsking));
}

export function previews(parts: Part[]): Map<string, Preview> {
  const found = parts.filter((part) => part.type === "data-preview").map((part) => (part as { data?: Preview }).data);
  return new Map(found.filter((data) => data !== undefined).map((data) => [data.toolCallId, data]));
}

export function textOf(message: UIMessage): string {
  return message.parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n");
}

export const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

/** A field of a value, if it is a text. */
export function field(value: unknown, ...names: string[]): string {
  if (!isRecord(value)) return "";
  for (const name of names) if (typeof value[name] === "string") return value[name];
  return "";
}

/** Changes whenever something in the message does that is not a new message. */
export function markOf(message: UIMessage): string {
  return message.parts.map((part) => (isTool(part) ? `${toolPart(part).state} ${toolPart(part).preliminary ?? ""}` : part.type)).join();
}
