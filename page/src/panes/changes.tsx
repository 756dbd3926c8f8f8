// What differs from the last commit.
import { useState } from "react";
import type { Asked } from "../calls";
import { useAsked } from "../calls";
import { useConversation } from "../context";
import { Icon } from "../shell/icon";
import { Diff } from "../tools/diff";
import { count } from "../words";

export interface StatusView {
  repository: boolean;
  branch?: string | null;
  head?: string | null;
  upstream?: string;
  ahead: number;
  behind: number;
  changes: { path: string; from?: string; kind: string }[];
}

export function Changes({ status }: { status: Asked<StatusView> }) {
  const { agent, isOpen, changed, show } = useConversation();
  const [only, setOnly] = useState<string | null>(null);
  const value = status.value;
  const path = value?.changes.some((change) => change.path === only) ? only : null;
  const diff = useAsked<{ diff: string; more: boolean; leftOut?: string[] }>(agent, "workspaceDiff", [path ? { path } : {}], isOpen && value?.repository ? `${changed}` : null);
  if (status.error) return <p className="reason">{status.error}</p>;
  if (!value) return null;
  if (!value.repository) return <p className="quiet pad">No repository in this workspace yet: clone one, or commit something.</p>;
  return (
    <div className="changes">
      <div className="branch">
        <Icon name="branch" size={14} />
        <strong>{value.branch ?? "no branch"}</strong>
        {value.head && <code>{value.head.slice(0, 8)}</code>}
        {value.upstream && <span className="quiet">{[value.upstream, value.ahead && `${value.ahead} ahead`, value.behind && `${value.behind} behind`].filter(Boolean).join(", ")}</span>}
        <span className="grow" />
        <button className="icon-button small" aria-label="Look again" title="Look again" onClick={() => (status.again(), diff.again())}>
          <Icon name="refresh" size={14} />
        </button>
      </div>
      {value.changes.length === 0 ? (
        <p className="quiet pad">Nothing changed since the last commit.</p>
      ) : (
        <>
          <ul className="changed" aria-label={count(value.changes.length, "changed file")}>
            {value.changes.map((change) => (
              <li key={change.path}>
                <button aria-pressed={path === change.path} onClick={() => setOnly(path === change.path ? null : change.path)}>
                  <span className="kind" data-kind={change.kind} title={change.kind}>
                    {change.kind.charAt(0).toUpperCase()}
                  </span>
                  <span className="path">{change.from ? `${change.from} → ${change.path}` : change.path}</span>
                </button>
                {change.kind !== "deleted" && (
                  <button className="icon-button small" aria-label={`Show ${change.path}`} title="Show the file" onClick={() => show(change.path)}>
                    <Icon name="file" size={14} />
                  </button>
                )}
              </li>
            ))}
          </ul>
          {diff.error && <p className="reason">{diff.error}</p>}
          {diff.value && <Diff text={diff.value.diff} />}
          {diff.value?.leftOut?.length ? <p className="quiet pad">Not shown, because a rule keeps it from being read: {diff.value.leftOut.join(", ")}.</p> : null}
          {diff.value?.more && <p className="quiet pad">The diff goes on: choose a file to see the rest.</p>}
        </>
      )}
    </div>
  );
}
