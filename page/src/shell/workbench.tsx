// What lies beside the talk: files, changes, terminals, the plan. What the server does not have is not offered.
import { useCallback, useEffect, useRef, useState, type PointerEvent } from "react";
import { useAsked } from "../calls";
import { useConversation } from "../context";
import { kept, keep } from "../kept";
import { Changes, type StatusView } from "../panes/changes";
import { Files } from "../panes/files";
import { Plan, type RunView } from "../panes/plan";
import { Terminals, type Listed } from "../panes/terminals";
import { Icon, type IconName } from "./icon";

export type Pane = "files" | "changes" | "terminal" | "plan";

interface Props {
  pane: Pane;
  setPane: (pane: Pane) => void;
  close: () => void;
  path: string | null;
  setPath: (path: string | null) => void;
}

const TABS: { id: Pane; title: string; icon: IconName }[] = [
  { id: "files", title: "Files", icon: "folder" },
  { id: "changes", title: "Changes", icon: "branch" },
  { id: "terminal", title: "Terminal", icon: "terminal" },
  { id: "plan", title: "Plan", icon: "plan" },
];

export function Workbench({ pane, setPane, close, path, setPath }: Props) {
  const { agent, isOpen, changed } = useConversation();
  const when = isOpen ? changed : null;
  const listing = useAsked<unknown>(agent, "listFiles", [], when);
  const status = useAsked<StatusView>(agent, "workspaceStatus", [], when);
  const terminals = useAsked<Listed[] | { terminals: Listed[] }>(agent, "terminals", [], when);
  const run = useAsked<RunView>(agent, "getRun", [], when);
  const gone: Record<Pane, boolean | undefined> = { files: listing.missing, changes: status.missing, terminal: terminals.missing, plan: run.missing };
  const tabs = TABS.filter((tab) => gone[tab.id] === false);
  // As long as it is not known whether there is what was chosen, nothing else takes its place.
  const isKnown = gone[pane] !== undefined;
  const shown = isKnown ? (tabs.find((tab) => tab.id === pane) ?? tabs[0]) : undefined;
  const number = status.value?.changes.length ?? 0;
  const width = useWidth();

  return (
    <aside className="workbench" aria-label="Workbench">
      <div className="grip" role="separator" aria-orientation="vertical" aria-label="Width of the workbench" tabIndex={0} {...width} />
      <header className="tabs">
        {tabs.length === 0 ? (
          <div className="grow" />
        ) : (
          <div role="tablist" aria-label="Workbench" onKeyDown={(event) => move(event.key, tabs, shown, setPane)}>
            {tabs.map((tab) => (
              <button key={tab.id} role="tab" id={`tab-${tab.id}`} aria-selected={tab === shown} aria-controls="pane" tabIndex={tab === shown ? 0 : -1} onClick={() => setPane(tab.id)}>
                <Icon name={tab.icon} size={14} />
                {tab.title}
                {tab.id === "changes" && number > 0 && <span className="number">{number}</span>}
              </button>
            ))}
          </div>
        )}
        <button className="icon-button" aria-label="Hide the workbench" title="Hide" onClick={close}>
          <Icon name="x" />
        </button>
      </header>
      <div className="pane" id="pane" role="tabpanel" aria-label={shown?.title ?? "Workbench"}>
        {!shown && <p className="quiet pad">{!isKnown ? "Looking what there is…" : "This server has no workspaces for agents."}</p>}
        {shown?.id === "files" && <Files path={path} setPath={setPath} />}
        {shown?.id === "changes" && <Changes status={status} />}
        {shown?.id === "plan" && <Plan run={run} />}
        {shown?.id === "terminal" && <Terminals listed={terminals.value} />}
      </div>
    </aside>
  );
}

function move(key: string, tabs: { id: Pane }[], shown: { id: Pane } | undefined, setPane: (pane: Pane) => void) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
  if (!step || !shown || tabs.length === 0) return;
  const at = tabs.findIndex((tab) => tab.id === shown.id);
  const next = tabs[(at + step + tabs.length) % tabs.length].id;
  setPane(next);
  document.getElementById(`tab-${next}`)?.focus();
}

const WIDTH = "bench-width";

/** Dragged, or moved with the arrow keys; kept for the next time. */
function useWidth() {
  const [percent, setPercent] = useState(() => kept(WIDTH, 46));
  const isDragging = useRef(false);
  useEffect(() => {
    document.documentElement.style.setProperty("--bench-width", `${percent}%`);
    keep(WIDTH, percent);
  }, [percent]);
  const set = useCallback((next: number) => setPercent(Math.min(72, Math.max(24, Math.round(next * 10) / 10))), []);
  return {
    "aria-valuenow": Math.round(percent),
    onPointerDown: (event: PointerEvent<HTMLElement>) => {
      isDragging.current = true;
      event.currentTarget.setPointerCapture(event.pointerId);
    },
    onPointerMove: (event: PointerEvent<HTMLElement>) => {
      const box = event.currentTarget.closest(".main")?.getBoundingClientRect();
      if (isDragging.current && box) set(((box.right - event.clientX) / box.width) * 100);
    },
    onPointerUp: () => (isDragging.current = false),
    onKeyDown: (event: { key: string }) => {
      const step = { ArrowLeft: 3, ArrowRight: -3 }[event.key];
      if (step) set(percent + step);
    },
  };
}
