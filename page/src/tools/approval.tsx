// A question to whoever is there: what would be done, and yes or no.
import { useState, type FormEvent } from "react";
import { useConversation } from "../context";
import { field, isRecord, nameOf, type Preview, type ToolPart } from "../chat/parts";
import { Coloured } from "../chat/coloured";
import { languageOf } from "../chat/language-of";
import { Icon } from "../shell/icon";
import { Keycaps } from "../shell/keycaps";
import { Value } from "./card";
import { Diff } from "./diff";
import type { Kind } from "./kinds";

export function Approval({ part, kind, preview }: { part: ToolPart; kind: Kind; preview?: Preview }) {
  const { answer, isOpen } = useConversation();
  const [isDenying, setDenying] = useState(false);
  const [given, setGiven] = useState<"yes" | "no" | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const id = part.approval?.id ?? "";

  const give = async (approve: boolean, more: { always?: boolean; reason?: string } = {}) => {
    setGiven(approve ? "yes" : "no");
    setProblem(await answer(part, { approve, ...more }));
    setGiven(null);
  };
  const deny = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const reason = String(new FormData(event.currentTarget).get("reason") ?? "").trim();
    void give(false, reason ? { reason } : {});
  };

  return (
    <section className="approval" data-approval={id} data-tool={nameOf(part)} aria-label={`The agent asks: ${kind.doing} ${kind.about}`} tabIndex={-1}>
      <header>
        <Icon name="shield" />
        <strong>{question(kind)}</strong>
        <span className="about" title={kind.about}>{kind.shape === "command" ? "" : kind.about.split("\n")[0]}</span>
        <span className="tag">{nameOf(part)}</span>
      </header>
      <div className="approval-body">
        <Shown part={part} kind={kind} preview={preview} />
      </div>
      {problem && <p className="reason" role="alert">{problem}</p>}
      {isDenying ? (
        <form className="deny" onSubmit={deny}>
          <input name="reason" autoFocus aria-label="Why not? The agent is told." placeholder="Why not? The agent is told. (Can be left out)" maxLength={2000} onKeyDown={(event) => event.key === "Escape" && (event.stopPropagation(), setDenying(false))} />
          <button className="button danger" disabled={given !== null}>Deny</button>
          <button type="button" className="button" onClick={() => setDenying(false)}>Back</button>
        </form>
      ) : (
        <footer>
          <button className="button primary" disabled={!isOpen || given !== null} onClick={() => void give(true)}>
            <Icon name="check" />
            Allow
            <Keycaps keys="mod+enter" />
          </button>
          <button className="button" disabled={!isOpen || given !== null} onClick={() => setDenying(true)}>
            Deny…
          </button>
          {preview?.always && (
            <button className="button plain" disabled={!isOpen || given !== null} onClick={() => void give(true, { always: true })} title={`From now on ${preview.always} needs no yes in this conversation`}>
              Always allow <code>{preview.always}</code> here
            </button>
          )}
        </footer>
      )}
    </section>
  );
}

function question(kind: Kind): string {
  if (kind.shape === "command") return `${kind.doing} this command?`;
  return kind.about ? kind.doing : `${kind.doing}?`;
}

/** The preview of the server; without one, the exact input. */
function Shown({ part, kind, preview }: { part: ToolPart; kind: Kind; preview?: Preview }) {
  if (preview?.diff) return <Diff text={preview.diff} bare={kind.about !== ""} />;
  const command = preview?.command ?? (kind.shape === "command" ? field(part.input, "command") : "");
  if (command) return <Command command={command} input={part.input} text={preview?.text} />;
  if (preview?.text) return <pre className="output" tabIndex={0}>{preview.text}</pre>;
  if (kind.shape === "edit") return <Edit input={part.input} />;
  return <Value title="Input" value={part.input ?? {}} />;
}

function Command({ command, input, text }: { command: string; input: unknown; text?: string }) {
  const directory = field(input, "directory", "workingDirectory");
  return (
    <div className="command">
      <div className="command-line">
        <span className="prompt" aria-hidden="true">$</span>
        <code><Coloured text={command} language="bash" /></code>
      </div>
      {(directory || text) && <p className="ended">{[directory && `in ${directory}`, text].filter(Boolean).join(" · ")}</p>}
    </div>
  );
}

/** An edit whose diff the server did not work out: the text that goes and the one that comes. */
function Edit({ input }: { input: unknown }) {
  const patch = field(input, "patch", "diff");
  if (/^(--- |diff --git )/m.test(patch)) return <Diff text={patch} />;
  const [older, newer] = [field(input, "old", "oldText", "old_text", "find"), field(input, "new", "newText", "new_text", "replace")];
  const path = field(input, "path");
  if (older || newer) return <Diff text={asDiff(path, older, newer)} bare />;
  const content = field(input, "content", "text");
  if (content) return <pre className="output" tabIndex={0}><Coloured text={content} language={languageOf(path)} /></pre>;
  if (patch) return <pre className="output" tabIndex={0}><Coloured text={patch} language="diff" /></pre>;
  return <Value title="Input" value={isRecord(input) ? input : {}} />;
}

function asDiff(path: string, older: string, newer: string): string {
  const lines = (text: string, sign: string) => (text ? text.replace(/\n$/, "").split("\n").map((line) => sign + line) : []);
  const [gone, come] = [lines(older, "-"), lines(newer, "+")];
  return [`--- a/${path}`, `+++ b/${path}`, `@@ -1,${gone.length} +1,${come.length} @@`, ...gone, ...come, ""].join("\n");
}
