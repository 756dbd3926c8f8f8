// A command, and what it says while it runs.
import { useEffect, useRef } from "react";
import { Copy } from "../chat/code";
import { field, isRecord, type ToolPart } from "../chat/parts";
import { plain } from "./ansi";

export function Output({ part, isOver }: { part: ToolPart; isOver: boolean }) {
  const command = field(part.input, "command");
  const directory = field(part.input, "directory", "workingDirectory");
  const text = plain(typeof part.output === "string" ? part.output : field(part.output, "output", "stdout"));
  const isRunning = !isOver && (part.preliminary === true || (isRecord(part.output) && part.output.running === true));
  const at = useRef<HTMLPreElement>(null);
  useEffect(() => {
    // What runs is read at its end.
    if (isRunning && at.current) at.current.scrollTop = at.current.scrollHeight;
  }, [text, isRunning]);
  return (
    <div className="command">
      <div className="command-line">
        <span className="prompt" aria-hidden="true">$</span>
        <code>{command}</code>
        {directory && <span className="tag">in {directory}</span>}
        <Copy text={command} what="the command" />
      </div>
      {(text || !isRunning) && (
        <pre className="output" ref={at} tabIndex={0} aria-label="Output of the command">
          {text || "It said nothing."}
        </pre>
      )}
      {!isRunning && isRecord(part.output) && !part.preliminary && <p className="ended">{field(part.output, "ended")}</p>}
    </div>
  );
}
