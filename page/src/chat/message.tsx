// One message: what somebody said, thought and did.
import type { UIMessage } from "ai";
import { memo, useMemo, type ReactNode } from "react";
import { Icon } from "../shell/icon";
import { Card } from "../tools/card";
import { count } from "../words";
import { Copy } from "./code";
import { Markdown } from "./markdown";
import { isAsking, isSettled, isTool, previews, textOf, toolPart, type Part, type Preview, type ToolPart } from "./parts";
import { kindOf } from "../tools/kinds";

interface Props {
  message: UIMessage;
  /** How far its calls are: parts may be changed in place. */
  mark: string;
  isLast: boolean;
  isBusy: boolean;
  rewind: ((message: UIMessage) => void) | null;
  fork: ((message: UIMessage) => void) | null;
  regenerate: (() => void) | null;
}

export const Message = memo(function Message(props: Props) {
  return props.message.role === "user" ? <Said {...props} /> : <Answered {...props} />;
});

function Said({ message, rewind, fork }: Props) {
  const text = textOf(message);
  return (
    <article className="message said" aria-label="You said">
      <div className="bubble">
        {message.parts.map((part, at) => (part.type === "file" ? <Attached key={at} url={part.url} type={part.mediaType} name={part.filename} /> : null))}
        {text && <p>{text}</p>}
      </div>
      <div className="message-tools">
        {text && <Copy text={text} what="the message" />}
        {rewind && (
          <button className="icon-button small" aria-label="Edit: go back to before this message" title="Go back to before this message, and edit it" onClick={() => rewind(message)}>
            <Icon name="undo" size={14} />
          </button>
        )}
        {fork && (
          <button className="icon-button small" aria-label="Fork from here" title="A new conversation from here, with the files" onClick={() => fork(message)}>
            <Icon name="fork" size={14} />
          </button>
        )}
      </div>
    </article>
  );
}

function Attached({ url, type, name }: { url: string; type: string; name?: string }) {
  if (type.startsWith("image/") && url.startsWith("data:image/")) return <img className="attached" src={url} alt={name ?? "attached picture"} />;
  return (
    <span className="chip attached">
      <Icon name="file" size={14} />
      {name ?? type}
    </span>
  );
}

function Answered({ message, mark, isLast, isBusy, regenerate }: Props) {
  const [shown, runs] = useMemo(() => [previews(message.parts), inRuns(message.parts)] as const, [message, mark]);
  const text = textOf(message);
  const isDone = !(isLast && isBusy);
  return (
    <article className="message answered" aria-label="The agent answered" aria-busy={!isDone}>
      {runs.map((run, at) => (
        <Run key={at} parts={run} shown={shown} isOver={isDone} isLive={!isDone && at === runs.length - 1} />
      ))}
      {isDone && (
        <div className="message-tools">
          {text && <Copy text={text} what="the answer" />}
          {isLast && regenerate && (
            <button className="icon-button small" aria-label="Answer again" title="Answer again" onClick={regenerate}>
              <Icon name="refresh" size={14} />
            </button>
          )}
        </div>
      )}
    </article>
  );
}

/** Calls that only look, one after the other, are one run; everything else stands alone. */
function inRuns(parts: Part[]): Part[][] {
  const runs: Part[][] = [];
  for (const part of parts) {
    if (part.type === "step-start" || part.type === "data-preview") continue;
    const last = runs.at(-1);
    if (last && isLook(part) && isLook(last[0])) last.push(part);
    else runs.push([part]);
  }
  return runs;
}

const isLook = (part: Part) => isTool(part) && kindOf(toolPart(part)).shape === "look";

interface Shown {
  shown: Map<string, Preview>;
  /** Whether the whole answer is over, and nothing in it goes on. */
  isOver: boolean;
  isLive: boolean;
}

function Run({ parts, shown, isOver, isLive }: Shown & { parts: Part[] }) {
  if (parts.length > 2 && !isLive && parts.every((part) => isQuiet(toolPart(part)))) return <Looks parts={parts} shown={shown} />;
  return parts.map((part, at) => <One key={at} part={part} shown={shown} isOver={isOver} isLive={isLive && at === parts.length - 1} />);
}

const isQuiet = (part: ToolPart) => isSettled(part) && part.state === "output-available" && !isAsking(part);

function Looks({ parts, shown }: { parts: Part[]; shown: Map<string, Preview> }) {
  return (
    <details className="looks">
      <summary>
        <Icon name="search" />
        <span className="verb">Looked around</span>
        <span className="about">{count(parts.length, "call")}</span>
        <Icon name="chevron" size={12} />
      </summary>
      {parts.map((part, at) => (
        <One key={at} part={part} shown={shown} isOver isLive={false} />
      ))}
    </details>
  );
}

function One({ part, shown, isOver, isLive }: Shown & { part: Part }): ReactNode {
  if (isTool(part)) return <Card part={toolPart(part)} isOver={isOver} preview={shown.get(toolPart(part).toolCallId)} />;
  switch (part.type) {
    case "text":
      return part.text ? <Markdown text={part.text} /> : null;
    case "reasoning":
      return part.text ? <Thought text={part.text} isLive={isLive && part.state === "streaming"} /> : null;
    case "file":
      return <Attached url={part.url} type={part.mediaType} name={part.filename} />;
    case "source-url":
      return /^https?:/i.test(part.url) ? (
        <a className="chip" href={part.url} target="_blank" rel="noopener noreferrer nofollow">
          {part.title ?? part.url}
        </a>
      ) : null;
    default:
      return data(part);
  }
}

/** Parts of the server's own: summaries of what was said long ago, and news that pass. */
function data(part: Part): ReactNode {
  if (part.type !== "data-summary") return null;
  const { summary, messages } = (part as { data: { summary?: string; messages?: number } }).data;
  return (
    <details className="thought">
      <summary>
        <Icon name="list" />
        The {messages ? count(messages, "message") : "messages"} above {messages === 1 ? "is" : "are"} summed up for the model
        <Icon name="chevron" size={12} />
      </summary>
      {summary && <Markdown text={summary} />}
    </details>
  );
}

function Thought({ text, isLive }: { text: string; isLive: boolean }) {
  return (
    <details className="thought" data-live={isLive || undefined}>
      <summary>
        <Icon name="spark" />
        <span className={isLive ? "shimmer" : undefined}>{isLive ? "Thinking" : "Thought"}</span>
        <Icon name="chevron" size={12} />
      </summary>
      <div className="thought-text">
        <Markdown text={text} />
      </div>
    </details>
  );
}
