// Terminals in the sandbox of the workspace. The emulator is loaded when the first one is shown.
import { useCallback, useEffect, useRef, useState } from "react";
import { messageOf } from "../calls";
import { useConversation } from "../context";
import { useLoaded } from "../load";
import { Icon } from "../shell/icon";
import type { Id } from "./feed";

export interface Listed {
  id: Id;
  title: string;
  state: "running" | "ended";
  exit?: unknown;
  /** The machine it runs on, if one that is lent. */
  on?: string;
}

const emulator = () => import("./terminal");

export function Terminals({ listed }: { listed: Listed[] | { terminals: Listed[] } | undefined }) {
  const { agent, isOpen } = useConversation();
  const known = Array.isArray(listed) ? listed : (listed?.terminals ?? []);
  const [opened, setOpened] = useState<Listed[]>([]);
  const [closed, setClosed] = useState<Id[]>([]);
  const [chosen, setChosen] = useState<Id | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const all = [...known, ...opened.filter((one) => !known.some(({ id }) => id === one.id))].filter(({ id }) => !closed.includes(id));
  const current = all.find(({ id }) => id === chosen) ?? all.at(-1);

  const open = useCallback(async () => {
    setProblem(null);
    try {
      const { id } = await agent.call<{ id: Id }>("terminalOpen", [{ rows: 24, columns: 80 }]);
      setOpened((list) => [...list, { id, title: "shell", state: "running" }]);
      setChosen(id);
    } catch (error) {
      setProblem(messageOf(error));
    }
  }, [agent]);
  const close = (id: Id) => {
    setClosed((list) => [...list, id]);
    void agent.call("terminalClose", [{ id }]).catch(() => undefined);
  };

  return (
    <div className="terminals">
      <div className="terminal-tabs">
        {all.map((one, at) => (
          <span key={one.id} className="terminal-tab" data-current={one.id === current?.id || undefined}>
            <button onClick={() => setChosen(one.id)} aria-pressed={one.id === current?.id}>
              {one.title || "shell"} {at + 1}
              {one.on && <span className="quiet"> on {one.on}</span>}
              {one.state === "ended" && <span className="quiet"> ended</span>}
            </button>
            <button className="icon-button small" aria-label={`Close terminal ${at + 1}`} onClick={() => close(one.id)}>
              <Icon name="x" size={12} />
            </button>
          </span>
        ))}
        <button className="icon-button small" aria-label="New terminal" title="New terminal" disabled={!isOpen} onClick={() => void open()}>
          <Icon name="plus" size={14} />
        </button>
      </div>
      {problem && <p className="reason" role="alert">{problem}</p>}
      {!current && !problem && (
        <div className="pad">
          <p className="quiet">A shell in the sandbox of this workspace: its files, the system's programs, no network unless allowed.</p>
          <button className="button" disabled={!isOpen} onClick={() => void open()}>
            <Icon name="terminal" />
            Open a terminal
          </button>
        </div>
      )}
      {current && (
        <Screen id={current.id} isOpen={isOpen} />
      )}
    </div>
  );
}

/** A terminal, once there is what draws it. */
function Screen({ id, isOpen }: { id: Id; isOpen: boolean }) {
  const { piece, hasFailed, again } = useLoaded(emulator);
  const wasOpen = useRef(isOpen);
  useEffect(() => {
    // With the line the server is back.
    if (hasFailed && isOpen && !wasOpen.current) again();
    wasOpen.current = isOpen;
  }, [hasFailed, isOpen, again]);
  if (piece) return <piece.default key={id} id={id} />;
  if (!hasFailed) return <p className="quiet pad">Loading…</p>;
  return (
    <div className="pad not-loaded">
      <p className="reason" role="alert">What shows terminals could not be loaded. The server may be away, or there is a newer page.</p>
      <div>
        <button className="button" onClick={again}>Try again</button>
        <button className="button plain" onClick={() => location.reload()}>Load the page again</button>
      </div>
    </div>
  );
}
