// The list of conversations.
import { useEffect, useRef, useState } from "react";
import type { Conversation } from "../conversations";
import { pathOf } from "../route";
import { settings } from "../settings";
import { NEXT, type Theme } from "../theme";
import { ago } from "../words";
import { Icon } from "./icon";
import { Keycaps } from "./keycaps";

interface Props {
  list: Conversation[];
  current: string;
  open: (name: string) => void;
  begin: () => void;
  rename: (name: string, title: string) => void;
  remove: (name: string) => void;
  theme: Theme;
  setTheme: (theme: Theme) => void;
  search: () => void;
}

const THEME_ICON = { system: "half", light: "sun", dark: "moon" } as const;

export function Sidebar({ list, current, open, begin, rename, remove, theme, setTheme, search }: Props) {
  const shown = list.some((one) => one.name === current) ? list : [{ name: current, title: "", at: Date.now(), working: false, waiting: false }, ...list];
  return (
    <nav className="sidebar" aria-label="Conversations">
      <header className="brand">
        <Mark />
        <strong>Hostel</strong>
        {settings.version && <span className="quiet">{settings.version}</span>}
        <button className="icon-button" aria-label="Search conversations and commands" title="Search (mod+K)" onClick={search}>
          <Icon name="search" />
        </button>
      </header>
      <button className="new" onClick={begin}>
        <Icon name="plus" />
        New conversation
        <Keycaps keys="mod+shift+o" />
      </button>
      <ul className="conversations">
        {shown.map((one) => (
          <Row key={one.name} one={one} isCurrent={one.name === current} open={open} rename={rename} remove={remove} />
        ))}
      </ul>
      <footer>
        <button className="icon-button" aria-label={`Theme: ${theme}. Change to ${NEXT[theme]}`} title={`Theme: ${theme}`} onClick={() => setTheme(NEXT[theme])}>
          <Icon name={THEME_ICON[theme]} />
        </button>
        <span className="quiet">Press ? for shortcuts</span>
      </footer>
    </nav>
  );
}

type RowProps = Pick<Props, "open" | "rename" | "remove"> & { one: Conversation; isCurrent: boolean };

function Row({ one, isCurrent, open, rename, remove }: RowProps) {
  const [doing, setDoing] = useState<"rename" | "remove" | null>(null);
  if (doing === "rename") return <Rename one={one} done={(title) => (setDoing(null), title !== null && rename(one.name, title))} />;
  return (
    <li className="conversation" data-current={isCurrent || undefined}>
      <a
        href={pathOf(one.name)}
        aria-current={isCurrent ? "page" : undefined}
        onClick={(event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          open(one.name);
        }}
      >
        <span className="title">{one.title || one.name}</span>
        <State one={one} />
      </a>
      {doing === "remove" ? (
        <span className="sure" role="group" aria-label={`Take ${one.title || one.name} off the list?`}>
          <button className="danger-text" autoFocus onClick={() => remove(one.name)} onBlur={() => setDoing(null)}>
            Remove
          </button>
        </span>
      ) : (
        <span className="row-tools">
          <button className="icon-button small" aria-label={`Rename ${one.title || one.name}`} onClick={() => setDoing("rename")}>
            <Icon name="edit" size={14} />
          </button>
          <button className="icon-button small" aria-label={`Remove ${one.title || one.name}`} onClick={() => setDoing("remove")}>
            <Icon name="trash" size={14} />
          </button>
        </span>
      )}
    </li>
  );
}

function State({ one }: { one: Conversation }) {
  if (one.waiting) return <span className="dot waiting" title="Waits for an answer of yours" role="img" aria-label="waits for an answer of yours" />;
  if (one.working) return <span className="dot working" title="At work" role="img" aria-label="at work" />;
  return <time className="quiet">{ago(one.at)}</time>;
}

function Rename({ one, done }: { one: Conversation; done: (title: string | null) => void }) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.select(), []);
  const left = useRef(false);
  const leave = (title: string | null) => {
    if (left.current) return;
    left.current = true;
    done(title);
  };
  return (
    <li className="conversation renaming">
      <input
        ref={field}
        aria-label="Title of the conversation"
        defaultValue={one.title || one.name}
        maxLength={120}
        onBlur={(event) => leave(event.target.value.trim())}
        onKeyDown={(event) => {
          if (event.key === "Enter") leave(event.currentTarget.value.trim());
          if (event.key === "Escape") leave(null);
        }}
      />
    </li>
  );
}

function Mark() {
  return (
    <svg width="22" height="22" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="var(--accent-strong)" />
      <path d="M9 24V14.2L16 8l7 6.2V24" fill="none" stroke="#fff" strokeWidth="2.4" strokeLinejoin="round" strokeLinecap="round" />
      <path d="M13 19.2l2.2-2.2-2.2-2.2M17.2 20.6h3" fill="none" stroke="#fff" strokeWidth="1.9" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}
