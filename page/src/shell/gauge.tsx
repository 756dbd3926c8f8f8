// How the agent works (asks, only plans, or goes ahead), and what the conversation has taken.
import { useAsked } from "../calls";
import type { Agent } from "../link";
import { short } from "../words";

type Mode = "ask" | "plan" | "auto";

const MODES: { id: Mode; title: string; about: string }[] = [
  { id: "plan", title: "Plan", about: "It may look, and changes nothing" },
  { id: "ask", title: "Ask", about: "It asks before it changes anything" },
  { id: "auto", title: "Auto", about: "It goes ahead within the sandbox and your rules" },
];

export function ModeSwitch({ agent, isOpen, changed }: { agent: Agent; isOpen: boolean; changed: string }) {
  const policy = useAsked<{ mode: Mode; noSandbox?: string }>(agent, "getPolicy", [], isOpen ? changed : null);
  if (policy.missing !== false || !policy.value) return null;
  const choose = (mode: Mode) => void agent.call("setPolicy", [{ mode }]).then(policy.again, policy.again);
  const { mode } = policy.value;
  return (
    <div className="modes" role="radiogroup" aria-label="How the agent works">
      {MODES.map((one) => (
        <button key={one.id} role="radio" aria-checked={mode === one.id} title={one.about} disabled={!isOpen} onClick={() => choose(one.id)}>
          {one.title}
        </button>
      ))}
    </div>
  );
}

interface Usage {
  context: { tokens: number; window?: number | null };
  cost?: number;
  tokens: { input: number; output: number };
  model?: string;
}

export function Gauge({ agent, isOpen, changed }: { agent: Agent; isOpen: boolean; changed: string }) {
  const { value, missing } = useAsked<Usage>(agent, "usage", [], isOpen ? changed : null);
  if (missing !== false || !value || value.context.tokens === 0) return null;
  const { tokens, window } = value.context;
  const part = window ? Math.min(1, tokens / window) : 0;
  const words = `${short(tokens)}${window ? ` of ${short(window)}` : ""} tokens in the model's window; ${short(value.tokens.input)} in and ${short(value.tokens.output)} out so far${value.cost ? `, ${value.cost.toFixed(2)} spent` : ""}${value.model ? `; ${value.model}` : ""}`;
  return (
    <span className="gauge" title={words} role="img" aria-label={words}>
      {window ? (
        <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
          <circle cx="8" cy="8" r="6" fill="none" stroke="var(--line-strong)" strokeWidth="2.4" />
          <circle cx="8" cy="8" r="6" fill="none" stroke={part > 0.85 ? "var(--bad)" : "var(--accent)"} strokeWidth="2.4" strokeDasharray={`${part * 37.7} 37.7`} transform="rotate(-90 8 8)" />
        </svg>
      ) : null}
      <span>{short(tokens)}{window ? "" : " tokens"}</span>
      {value.cost ? <span>{value.cost.toFixed(2)}</span> : null}
    </span>
  );
}
