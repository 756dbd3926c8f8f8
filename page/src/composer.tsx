// Where people write: text, commands of the agent, pictures and files.
import type { FileUIPart } from "ai";
import { useEffect, useImperativeHandle, useLayoutEffect, useRef, useState, type ClipboardEvent, type DragEvent, type KeyboardEvent, type Ref } from "react";
import { attached } from "./attach";
import { useAsked } from "./calls";
import type { Agent } from "./link";
import { ModelPicker } from "./model-picker";
import type { ModelChoice } from "./models";
import { Icon } from "./shell/icon";

interface Props {
  ref: Ref<{ put: (text: string) => void; focus: () => void }>;
  name: string;
  agent: Agent;
  isOpen: boolean;
  isBusy: boolean;
  asks: number;
  send: (text: string, files: FileUIPart[]) => void;
  stop: () => void;
  models: ModelChoice;
  openSettings: () => void;
}

interface Slash {
  name: string;
  usage: string;
  about: string;
}

export function Composer({ ref, name, agent, isOpen, isBusy, asks, send, stop, models, openSettings }: Props) {
  const [text, setText] = useDraft(name);
  const [files, setFiles] = useState<FileUIPart[]>([]);
  const having = useRef(files);
  having.current = files;
  const adding = useRef(Promise.resolve());
  const [problem, setProblem] = useState<string | null>(null);
  const [chosen, setChosen] = useState(0);
  const [isShut, setShut] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const slash = useAsked<Slash[] | { commands: Slash[] }>(agent, "slashCommands", [], isOpen ? name : null);
  const offered = fitting(listOf(slash.value), text, isShut);

  useImperativeHandle(ref, () => ({ put: (next) => (setText(next), field.current?.focus()), focus: () => field.current?.focus() }), [setText]);
  useGrowing(field, text);
  useEffect(() => {
    if (!matchMedia("(pointer: coarse)").matches) field.current?.focus();
  }, [name]);

  const submit = () => {
    if (!text.trim() && files.length === 0) return;
    send(text.trim(), files);
    setText("");
    setFiles([]);
    setProblem(null);
  };
  const take = (one: Slash | undefined) => {
    if (!one) return;
    setText(`/${bareName(one)} `);
    setShut(false);
    field.current?.focus();
  };
  const press = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (offered.length > 0) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) setChosen((Math.min(chosen, offered.length - 1) + step + offered.length) % offered.length);
      const isWhole = offered.some((one) => `/${bareName(one)}` === text.trim());
      const isTaken = event.key === "Tab" || (event.key === "Enter" && !isWhole);
      if (isTaken) take(offered[Math.min(chosen, offered.length - 1)]);
      if (event.key === "Escape") (setShut(true), event.stopPropagation());
      if (step || isTaken || event.key === "Escape") return event.preventDefault();
    }
    if (event.key === "Enter" && !event.shiftKey && !event.metaKey && !event.ctrlKey) {
      event.preventDefault();
      submit();
    }
  };
  // One after the other: what is handed over while another is read stands beside it.
  const attach = (list: Iterable<File>) => {
    const given = [...list];
    adding.current = adding.current.then(async () => {
      const [all, refused] = await attached(having.current, given);
      having.current = all;
      setFiles(all);
      setProblem(refused);
    });
  };
  const paste = (event: ClipboardEvent) => {
    const pasted = [...event.clipboardData.files];
    if (pasted.length === 0) return;
    event.preventDefault();
    attach(pasted);
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    attach(event.dataTransfer.files);
  };

  return (
    <form
      className="composer"
      id="composer-form"
      onSubmit={(event) => (event.preventDefault(), submit())}
      onDragOver={(event) => event.preventDefault()}
      onDrop={drop}
    >
      {offered.length > 0 && (
        <ul className="slash" id="slash" role="listbox" aria-label="Commands">
          {offered.map((one, at) => (
            <li key={one.name} id={`slash-${at}`} role="option" aria-selected={at === Math.min(chosen, offered.length - 1)} onPointerMove={() => setChosen(at)} onClick={() => take(one)}>
              <code>{usageOf(one)}</code>
              <span>{one.about}</span>
            </li>
          ))}
        </ul>
      )}
      <div className="composer-box">
        {files.length > 0 && (
          <div className="attachments">
            {files.map((file, at) => (
              <span key={at} className="attachment">
                {file.mediaType.startsWith("image/") ? (
                  <img src={file.url} alt={file.filename ?? "attached picture"} />
                ) : (
                  <span className="chip">
                    <Icon name="file" size={14} />
                    {file.filename}
                  </span>
                )}
                <button type="button" aria-label={`Take off ${file.filename ?? "the file"}`} onClick={() => setFiles(files.filter((_, index) => index !== at))}>
                  <Icon name="x" size={12} />
                </button>
              </span>
            ))}
          </div>
        )}
        <textarea
          id="composer"
          ref={field}
          rows={1}
          value={text}
          aria-label="Message to the agent"
          aria-autocomplete="list"
          aria-controls={offered.length ? "slash" : undefined}
          aria-activedescendant={offered.length ? `slash-${Math.min(chosen, offered.length - 1)}` : undefined}
          placeholder={isBusy || asks ? "Say what comes next…" : "Ask, or say what to do…"}
          onChange={(event) => (setText(event.target.value), setShut(false), setChosen(0))}
          onKeyDown={press}
          onPaste={paste}
        />
        <div className="composer-tools">
          <button type="button" className="icon-button" aria-label="Attach pictures or files" title="Attach pictures or files" onClick={() => picker.current?.click()}>
            <Icon name="clip" />
          </button>
          <input ref={picker} type="file" multiple hidden aria-label="Pictures or files" onChange={(event) => (attach(event.target.files ?? []), (event.target.value = ""))} />
          <span className="hint">{problem ? <span role="alert">{problem}</span> : !isOpen ? "Sent when the line is back" : isBusy ? "Enter: send when it is done" : slash.missing === false ? "/ for commands" : ""}</span>
          <ModelPicker models={models} isOpen={isOpen} open={openSettings} />
          {isBusy && (
            <button type="button" className="round stop" aria-label="Stop the answer" title="Stop (Esc)" onClick={stop}>
              <Icon name="stop" />
            </button>
          )}
          {(!isBusy || text.trim() !== "") && (
            <button className="round send" aria-label={isBusy ? "Send when it is done" : "Send"} disabled={!text.trim() && files.length === 0}>
              <Icon name="arrow-up" />
            </button>
          )}
        </div>
      </div>
    </form>
  );
}

const listOf = (value: Slash[] | { commands: Slash[] } | undefined): Slash[] => (Array.isArray(value) ? value : (value?.commands ?? []));
const bareName = (one: Slash) => one.name.replace(/^\//, "");
const usageOf = (one: Slash) => (one.usage?.startsWith("/") ? one.usage : `/${bareName(one)} ${one.usage ?? ""}`);

/** The commands that begin with what was written, while it is no more than a beginning. */
function fitting(all: Slash[], text: string, isShut: boolean): Slash[] {
  const word = /^\/([\w-]*)$/.exec(text)?.[1];
  if (word === undefined || isShut) return [];
  return all.filter((one) => bareName(one).toLowerCase().startsWith(word.toLowerCase()));
}

export const draftKey = (name: string) => `hostel.draft.${name}`;

/** What was written and not sent stays with its conversation. */
function useDraft(name: string): [string, (text: string) => void] {
  const key = draftKey(name);
  const [text, setText] = useState(() => sessionStorage.getItem(key) ?? "");
  const set = (next: string) => {
    setText(next);
    if (next) sessionStorage.setItem(key, next);
    else sessionStorage.removeItem(key);
  };
  return [text, set];
}

function useGrowing(field: { current: HTMLTextAreaElement | null }, text: string) {
  useLayoutEffect(() => {
    const at = field.current;
    if (!at) return;
    at.style.height = "auto";
    at.style.height = `${Math.min(at.scrollHeight, 260)}px`;
  }, [field, text]);
}
