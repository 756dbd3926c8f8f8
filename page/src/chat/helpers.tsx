// What a sub-agent does on behalf of a call: its own answer, nested under the call. What it asks is answered here as well.
import { useMemo } from "react";
import type { Part } from "./parts";
import { useConversation } from "../context";
import { Icon } from "../shell/icon";
import { count } from "../words";
import { isAsking, isTool, previews, toolPart } from "./parts";
import { Markdown } from "./markdown";
import { Card, Spinner } from "../tools/card";

export interface HelperRun {
  runId: string;
  agentType: string;
  status: "running" | "completed" | "error" | "aborted" | "interrupted";
  parts: Part[];
  inputPreview?: unknown;
  summary?: string;
  error?: string;
  display?: { name?: string; icon?: string };
}

export function Helpers({ toolCallId }: { toolCallId: string }) {
  const runs = useConversation().helpersOf(toolCallId);
  return runs.map((run) => <Helper key={run.runId} run={run} />);
}

const WORDS: Record<HelperRun["status"], string> = { running: "at work", completed: "done", error: "failed", aborted: "stopped", interrupted: "interrupted" };

function Helper({ run }: { run: HelperRun }) {
  const shown = useMemo(() => previews(run.parts), [run.parts]);
  const asks = run.parts.some((part) => isTool(part) && isAsking(toolPart(part)));
  const calls = run.parts.filter(isTool).length;
  return (
    <details className="helper" open={run.status === "running" || asks} data-status={run.status} data-asks={asks || undefined}>
      <summary>
        <Icon name="fork" size={14} />
        <span className="verb">{run.display?.name ?? run.agentType}</span>
        <span className="about">{[asks ? "asks you" : WORDS[run.status], calls > 0 && count(calls, "call")].filter(Boolean).join(", ")}</span>
        {run.status === "running" && !asks && <Spinner label="running" />}
        <Icon name="chevron" size={12} />
      </summary>
      <div className="helper-body">
        {typeof run.inputPreview === "string" && run.inputPreview && <p className="helper-task">{run.inputPreview}</p>}
        {run.parts.map((part, at) => (isTool(part) ? <Card key={at} part={toolPart(part)} isOver={run.status !== "running"} preview={shown.get(toolPart(part).toolCallId)} /> : part.type === "text" ? <Markdown key={at} text={part.text} /> : null))}
        {run.error && <p className="reason">{run.error}</p>}
      </div>
    </details>
  );
}

/** The calls of sub-agents that wait for a yes or no. */
export const askingBelow = (runs: HelperRun[]) => runs.flatMap((run) => run.parts.filter(isTool).map(toolPart).filter(isAsking));
