// What needs no yes any more, or is refused: the rules of this conversation, and those of the server.
import { useState } from "react";
import { messageOf, useAsked } from "../calls";
import type { Agent } from "../link";
import { Icon } from "../shell/icon";

interface Rule {
  tool: string;
  pattern?: string;
  action: "allow" | "ask" | "deny";
  since?: string;
  by?: string;
}

interface Policy {
  rules: Rule[];
  operatorRules: Rule[];
  noSandbox?: string;
}

export function Rules({ agent, when }: { agent: Agent; when: unknown }) {
  const { value, again, missing } = useAsked<Policy>(agent, "getPolicy", [], when);
  const [problem, setProblem] = useState<string | null>(null);
  if (missing !== false || !value) return null;
  const drop = (gone: Rule) => {
    const rules = value.rules.filter((rule) => rule !== gone).map(({ tool, pattern, action }) => ({ tool, pattern, action }));
    setProblem(null);
    agent.call("setPolicy", [{ rules }]).then(again, (error: unknown) => setProblem(messageOf(error)));
  };
  return (
    <section aria-labelledby="setup-rules">
      <h3 id="setup-rules">Rules</h3>
      {value.noSandbox && <p className="reason">Commands cannot be sandboxed here, so every one asks: {value.noSandbox}</p>}
      {value.rules.length + value.operatorRules.length === 0 && <p className="quiet">None yet. "Always allow" makes one.</p>}
      <ul className="rules">
        {value.operatorRules.map((rule, at) => (
          <Row key={`of-server-${at}`} rule={rule} whose="set by the server" />
        ))}
        {value.rules.map((rule, at) => (
          <Row key={at} rule={rule} whose={rule.by ?? ""} drop={() => drop(rule)} />
        ))}
      </ul>
      {problem && <p className="reason" role="alert">{problem}</p>}
    </section>
  );
}

function Row({ rule, whose, drop }: { rule: Rule; whose: string; drop?: () => void }) {
  const what = [rule.tool, rule.pattern].filter(Boolean).join(" ");
  return (
    <li>
      <span className="badge" data-action={rule.action}>{rule.action}</span>
      <code>{what}</code>
      <span className="quiet">{whose}</span>
      {drop && (
        <button className="icon-button small" aria-label={`Take back: ${rule.action} ${what}`} title="Take back" onClick={drop}>
          <Icon name="trash" size={14} />
        </button>
      )}
    </li>
  );
}
