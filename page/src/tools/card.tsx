// A call of a tool: one line that says what was done, and all of it when asked.
import { useState, type ReactNode } from "react";
import { field, isAsking, isRecord, isSettled, nameOf, type Preview, type ToolPart } from "../chat/parts";
import { Copy } from "../chat/code";
import { Coloured } from "../chat/coloured";
import { Helpers } from "../chat/helpers";
import { languageOf } from "../chat/language-of";
import { Icon } from "../shell/icon";
import { Approval } from "./approval";
import { Counts, Diff } from "./diff";
import { kindOf, type Kind } from "./kinds";
import { Output } from "./output";
import { filesOf } from "./patch";

/** Not remembered by its props: the hook changes parts of answers that another tab asked for in place. */
export function Card({ part, preview, isOver }: { part: ToolPart; preview?: Preview; isOver: boolean }) {
  const kind = kindOf(part);
  // What was stopped has said all it will ever say.
  const isStopped = isOver && (part.preliminary === true || part.state === "input-streaming");
  const isRunning = !isOver && (part.preliminary === true || (!isSettled(part) && !isAsking(part) && part.state !== "input-streaming"));
  const [isOpen, setOpen] = useState<boolean | null>(null);
  const open = isOpen ?? opensItself(part, kind);
  if (isAsking(part)) return <Approval part={part} kind={kind} preview={preview} />;
  return (
    <>
      <details className="card" data-shape={kind.shape} data-state={isStopped ? "stopped" : stateOf(part)} open={open} data-tool={nameOf(part)}>
      <summary
        onClick={(event) => {
          event.preventDefault();
          setOpen(!open);
        }}
      >
        <Icon name={kind.icon} />
        <span className="verb">{isSettled(part) && part.state !== "output-denied" ? kind.done : kind.doing}</span>
        <span className="about" title={kind.about}>
          {kind.about.split("\n")[0]}
        </span>
        <Badge part={part} isRunning={isRunning} isStopped={isStopped} />
        <Icon name="chevron" size={12} />
      </summary>
      {open && <div className="card-body">{body(part, kind, isOver)}</div>}
    </details>
      <Helpers toolCallId={part.toolCallId} />
    </>
  );
}

/** What people want to see without asking: changes, commands that run or failed, and errors. */
function opensItself(part: ToolPart, kind: Kind): boolean {
  if (part.state === "output-error") return true;
  if (kind.shape === "command") return part.preliminary === true || (isSettled(part) && !succeeded(part));
  return kind.shape === "edit" && part.state === "output-available" && field(part.output, "diff").length < 6000;
}

const succeeded = ({ output }: ToolPart) => !isRecord(output) || output.success !== false;

function stateOf(part: ToolPart): string {
  if (part.state === "output-denied") return "denied";
  if (part.state === "output-error") return "failed";
  if (part.state === "output-available" && !part.preliminary) return succeeded(part) ? "done" : "failed";
  return "running";
}

function Badge({ part, isRunning, isStopped }: { part: ToolPart; isRunning: boolean; isStopped: boolean }) {
  const diff = field(part.output, "diff");
  if (part.state === "output-denied") return <span className="badge">denied</span>;
  if (part.state === "output-error") return <span className="badge failed">failed</span>;
  if (isStopped) return <span className="badge">stopped</span>;
  if (isRunning) return <Spinner label="running" />;
  if (isRecord(part.output) && typeof part.output.exitCode === "number" && part.output.exitCode !== 0) return <span className="badge failed">exit {part.output.exitCode}</span>;
  if (isRecord(part.output) && part.output.success === false) return <span className="badge failed">{field(part.output, "ended") || "failed"}</span>;
  if (!diff) return <span className="badge quiet-badge" />;
  const files = filesOf(diff);
  return <Counts added={files.reduce((sum, file) => sum + file.added, 0)} removed={files.reduce((sum, file) => sum + file.removed, 0)} />;
}

export function Spinner({ label }: { label: string }) {
  return <span className="spinner" role="img" aria-label={label} />;
}

function body(part: ToolPart, kind: Kind, isOver: boolean): ReactNode {
  if (part.state === "output-error") return <p className="reason">{part.errorText || "It failed without saying why."}</p>;
  if (part.state === "output-denied") return <p className="reason">{part.approval?.reason ? `Denied: ${part.approval.reason}` : "Denied. The agent was told."}</p>;
  const diff = field(part.output, "diff");
  if (kind.shape === "command") return <Output part={part} isOver={isOver} />;
  if (diff) return <Diff text={diff} bare />;
  if (typeof part.output === "string" && part.output) return <Text text={part.output} language={numbered(part.output) ? "" : languageOf(field(part.input, "path"))} />;
  return (
    <>
      {part.input !== undefined && <Value title="Input" value={part.input} />}
      {part.output !== undefined && <Value title="Output" value={part.output} />}
    </>
  );
}

const numbered = (text: string) => /^\s*\d+[\t|:]/.test(text);

function Text({ text, language }: { text: string; language: string }) {
  return (
    <pre className="output" tabIndex={0}>
      <Coloured text={text} language={language} />
    </pre>
  );
}

/** Any JSON: its texts as texts, and the rest as it is. */
export function Value({ title, value }: { title: string; value: unknown }) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return (
    <figure className="value">
      <figcaption>
        {title}
        <Copy text={text} what={title.toLowerCase()} />
      </figcaption>
      <pre className="output" tabIndex={0}>
        <Coloured text={text} language={typeof value === "string" ? "" : "json"} />
      </pre>
    </figure>
  );
}
