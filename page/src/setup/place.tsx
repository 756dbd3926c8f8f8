// Where the agent's commands run: on this server, or on a machine that somebody lends; and how to lend one.
import { useState, type ReactNode } from "react";
import { messageOf, useAsked } from "../calls";
import { Copy } from "../chat/code";
import type { Agent } from "../link";
import { AGENT } from "../settings";

interface Machine {
  name: string;
  directory: string;
  platform: string;
  sandboxed: boolean;
  chosen: boolean;
  by?: string;
}

interface HandsView {
  where: "sandbox" | "hands";
  name?: string;
  lender?: string;
  /** Whether the operator takes machines. */
  takes: boolean;
  machines: Machine[];
}

interface Choice {
  where: HandsView["where"];
  name?: string;
}

export function Place({ agent, name, when }: { agent: Agent; name: string; when: unknown }) {
  const { value, missing, again } = useAsked<HandsView>(agent, "getHands", [], when);
  const [problem, setProblem] = useState<string | null>(null);
  if (missing !== false || !value || (!value.takes && value.where === "sandbox")) return null;
  const isAway = value.where === "hands" && !value.machines.some((machine) => machine.chosen);
  const choose = (choice: Choice) => {
    setProblem(null);
    // It may have been taken back meanwhile: what is so is asked in any case.
    agent.call("setHands", [choice]).then(again, (error: unknown) => (setProblem(messageOf(error)), again()));
  };
  return (
    <section aria-labelledby="setup-place">
      <h3 id="setup-place">Where commands run</h3>
      <div className="choices" role="radiogroup" aria-labelledby="setup-place">
        <Row title="This server" isChosen={value.where === "sandbox"} choose={() => choose({ where: "sandbox" })}>
          in the sandbox of the workspace
        </Row>
        {value.machines.map((machine) => (
          <Row key={machine.name} title={machine.name} isChosen={machine.chosen} choose={() => choose({ where: "hands", name: machine.name })}>
            {machine.directory}, {machine.sandboxed ? "in a sandbox there" : "without a sandbox"} · {machine.platform}
            {machine.by && ` · lent by ${machine.by}`}
          </Row>
        ))}
      </div>
      {isAway && (
        <p className="reason" role="alert">
          Commands are to run on {value.name}
          {value.lender && ` of ${value.lender}`}, which is not lent now. They wait for it, and run nowhere else.
        </p>
      )}
      {problem && <p className="reason" role="alert">{problem}</p>}
      {value.machines.length === 0 ? <Lend name={name} /> : <p className="quiet">Counts for everybody here. On a machine that is lent every command asks, and whoever lends it decides as well. Files and git stay on the server.</p>}
    </section>
  );
}

function Row({ title, isChosen, choose, children }: { title: string; isChosen: boolean; choose: () => void; children: ReactNode }) {
  return (
    <label className="choice">
      <input type="radio" name="place" checked={isChosen} onChange={choose} />
      <strong>{title}</strong>
      <span>{children}</span>
    </label>
  );
}

/** The line to type on the machine. */
function Lend({ name }: { name: string }) {
  const line = `hostel hands ${AGENT}/${name} --url ${location.origin} --directory .`;
  return (
    <>
      <p className="quiet">They can run on a machine of yours instead, in a directory that you lend. Type there:</p>
      <div className="way">
        <pre tabIndex={0}>{line}</pre>
        <Copy text={line} what="the line that lends a machine" />
      </div>
    </>
  );
}
