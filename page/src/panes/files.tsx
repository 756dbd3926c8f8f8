// The files of the workspace: a tree, and the one that is looked at.
import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { useAsked } from "../calls";
import { Copy } from "../chat/code";
import { useLines } from "../chat/coloured";
import { languageOf } from "../chat/language-of";
import { useConversation } from "../context";
import { Icon } from "../shell/icon";
import { size } from "../words";

interface Entry {
  name: string;
  path: string;
  kind: "file" | "directory" | "link";
  size: number;
}

interface Listing {
  path: string;
  entries: Entry[];
  more: boolean;
}

interface FileView {
  path: string;
  text: string;
  from: number;
  lines: number;
  total?: number | null;
  size: number;
  binary: boolean;
  about?: string;
  image?: string;
}

export function Files({ path, setPath }: { path: string | null; setPath: (path: string | null) => void }) {
  const [find, setFind] = useState("");
  return (
    <div className="files" data-viewing={path !== null || undefined}>
      <div className="tree-frame">
        <label className="find">
          <Icon name="search" size={14} />
          <input type="search" aria-label="Search in files" placeholder="Search in files" value={find} onChange={(event) => setFind(event.target.value)} />
        </label>
        {find.trim().length > 1 ? <Found query={find.trim()} open={setPath} /> : <Tree open={setPath} current={path} />}
      </div>
      {path !== null && <Viewer key={path} path={path} close={() => setPath(null)} />}
    </div>
  );
}

function Tree({ open, current }: { open: (path: string) => void; current: string | null }) {
  const at = useRef<HTMLUListElement>(null);
  return (
    <ul className="tree" role="tree" aria-label="Files" ref={at} onKeyDown={(event) => walk(event, at.current)}>
      <Directory path="" level={1} open={open} current={current} />
    </ul>
  );
}

function Directory({ path, level, open, current }: { path: string; level: number; open: (path: string) => void; current: string | null }) {
  const { agent, isOpen, changed } = useConversation();
  const { value, error } = useAsked<Listing>(agent, "listFiles", path ? [path] : [], isOpen ? changed : null);
  if (error) return <li className="quiet pad" role="none">{error}</li>;
  if (!value) return null;
  if (value.entries.length === 0) return <li className="quiet pad" role="none">{path ? "Nothing in it." : "The workspace is empty. Clone a repository, or ask for a file."}</li>;
  return (
    <>
      {value.entries.map((entry) => (
        <Node key={entry.path} entry={entry} level={level} open={open} current={current} />
      ))}
      {value.more && <li className="quiet pad" role="none">There are more.</li>}
    </>
  );
}

function Node({ entry, level, open, current }: { entry: Entry; level: number; open: (path: string) => void; current: string | null }) {
  const [isOpen, setOpen] = useState(false);
  const isDirectory = entry.kind === "directory";
  const act = () => (isDirectory ? setOpen(!isOpen) : open(entry.path));
  return (
    <li role="none">
      <button
        role="treeitem"
        aria-level={level}
        aria-expanded={isDirectory ? isOpen : undefined}
        aria-selected={current === entry.path}
        tabIndex={level === 1 ? 0 : -1}
        style={{ paddingLeft: 8 + (level - 1) * 14 }}
        onClick={act}
        onKeyDown={(event) => {
          if (isDirectory && ((event.key === "ArrowRight" && !isOpen) || (event.key === "ArrowLeft" && isOpen))) act();
        }}
      >
        <span className="twist">{isDirectory && <Icon name={isOpen ? "down" : "chevron"} size={12} />}</span>
        <Icon name={isDirectory ? "folder" : "file"} size={14} />
        <span className="name">{entry.name}</span>
        {entry.kind === "link" && <span className="tag">link</span>}
      </button>
      {isOpen && (
        <ul role="group">
          <Directory path={entry.path} level={level + 1} open={open} current={current} />
        </ul>
      )}
    </li>
  );
}

/** Up and down through all that is shown. */
function walk(event: KeyboardEvent, tree: HTMLElement | null) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !tree) return;
  event.preventDefault();
  const items = [...tree.querySelectorAll<HTMLElement>('[role="treeitem"]')];
  items[items.indexOf(document.activeElement as HTMLElement) + step]?.focus();
}

interface Match {
  path: string;
  line: number;
  text: string;
}

function Found({ query, open }: { query: string; open: (path: string) => void }) {
  const { agent, isOpen } = useConversation();
  const slow = useSlow(query);
  const { value, error, missing } = useAsked<{ matches?: Match[]; files?: { path: string; lines: { line: number; text: string }[] }[]; more?: boolean }>(agent, "searchFiles", [{ query: slow }], isOpen ? slow : null);
  const matches = useMemo(() => value?.matches ?? value?.files?.flatMap((file) => file.lines.map((line) => ({ path: file.path, ...line }))) ?? [], [value]);
  if (missing) return <p className="quiet pad">This server cannot search files.</p>;
  if (error) return <p className="reason">{error}</p>;
  if (value && matches.length === 0) return <p className="quiet pad">Nothing found.</p>;
  return (
    <ul className="found">
      {matches.map((match, at) => (
        <li key={at}>
          <button onClick={() => open(match.path)}>
            <span className="path">
              {match.path}:{match.line}
            </span>
            <code>{match.text.trim()}</code>
          </button>
        </li>
      ))}
      {value?.more && <li className="quiet pad">There is more: search for something longer.</li>}
    </ul>
  );
}

function useSlow(text: string): string {
  const [slow, setSlow] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(text), 200);
    return () => clearTimeout(timer);
  }, [text]);
  return slow;
}

/** How many lines are asked for at once. */
const PAGE = 1500;

function Viewer({ path, close }: { path: string; close: () => void }) {
  const { agent, isOpen, changed } = useConversation();
  const [most, setMost] = useState(PAGE);
  const { value, error } = useAsked<FileView>(agent, "readFile", [{ path, lines: most }], isOpen ? changed : null);
  return (
    <section className="viewer" aria-label={path}>
      <header>
        <button className="icon-button small" aria-label="Back to the files" title="Close" onClick={close}>
          <Icon name="x" size={14} />
        </button>
        <span className="path" title={path}>{path}</span>
        {value && <span className="quiet">{size(value.size)}</span>}
        {value && !value.binary && <Copy text={value.text} what="the file" />}
      </header>
      {error && <p className="reason" role="alert">{error}</p>}
      {value?.image && <div className="picture"><img src={value.image} alt={path} /></div>}
      {value?.binary && !value.image && <p className="quiet pad">Not a text{value.about ? `: ${value.about}` : ""}, {size(value.size)}.</p>}
      {value && !value.binary && <Text view={value} />}
      {value && !value.binary && value.lines >= most && (
        <button className="button small more" onClick={() => setMost(most + 4 * PAGE)}>
          Show more
        </button>
      )}
    </section>
  );
}

function Text({ view }: { view: FileView }) {
  const text = view.text.replace(/\n$/, "");
  const lines = useLines(text, languageOf(view.path));
  return (
    <div className="source" tabIndex={0} role="region" aria-label={`Text of ${view.path}`}>
      <pre aria-hidden="true" className="numbers">
        {lines.map((_, at) => at + (view.from || 1)).join("\n")}
      </pre>
      <pre>
        <code>
          {lines.map((line, at) => (
            <span key={at}>
              {line}
              {"\n"}
            </span>
          ))}
        </code>
      </pre>
    </div>
  );
}
