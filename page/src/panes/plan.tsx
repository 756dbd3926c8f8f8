// What the agent means to do, what is for later, and a run of its own with its budget.
import { useState, type FormEvent } from "react";
import { messageOf, useAsked, type Asked } from "../calls";
import { useConversation } from "../context";
import { Icon } from "../shell/icon";
import { seconds, short } from "../words";

export interface Limits {
  steps?: number;
  tokens?: number;
  cost?: number;
  seconds?: number;
}

export interface RunView {
  state: "idle" | "running" | "paused" | "over";
  goal?: string;
  next?: string;
  nextAt?: number;
  reason?: string;
  used: Limits;
  budget: Limits;
}

interface PlanView {
  explanation?: string;
  steps: { step: string; status: string }[];
}

interface Task {
  id: number;
  text: string;
  state: string;
  when?: string;
  next?: number;
}

export interface Work {
  plan?: PlanView;
  run?: RunView;
  tasks?: Task[];
}

export function Plan({ run }: { run: Asked<RunView> }) {
  const { agent, isOpen, changed } = useConversation();
  const when = isOpen ? changed : null;
  const live = (agent.state as { work?: Work } | undefined)?.work;
  const plan = useAsked<PlanView>(agent, "getPlan", [], when);
  const tasks = useAsked<Task[]>(agent, "getTasks", [], when);
  const notes = useAsked<{ id: number; text: string }[]>(agent, "getNotes", [], when);
  const steps = (live?.plan ?? plan.value)?.steps ?? [];
  const shown = live?.run ?? run.value;
  const listed = live?.tasks ?? tasks.value ?? [];
  return (
    <div className="plan">
      {shown && <Run run={shown} again={run.again} />}
      <section>
        <h2>Plan</h2>
        {steps.length === 0 && <p className="quiet">None yet. For longer work the agent writes one here.</p>}
        <ol>
          {steps.map((step, at) => (
            <li key={at} data-status={step.status}>
              <Mark status={step.status} />
              <span>{step.step}</span>
            </li>
          ))}
        </ol>
      </section>
      {listed.length > 0 && (
        <section>
          <h2>Tasks</h2>
          <ol>
            {listed.map((task) => (
              <li key={task.id} data-status={task.state}>
                <Mark status={task.state} />
                <span>{task.text}</span>
                {task.when && <span className="tag">{task.when}</span>}
                {!/done|completed|cancelled|failed/.test(task.state) && <Cancel id={task.id} again={tasks.again} />}
              </li>
            ))}
          </ol>
        </section>
      )}
      {(notes.value?.length ?? 0) > 0 && (
        <section>
          <h2>Notes</h2>
          <ul>
            {notes.value?.map((note) => (
              <li key={note.id}>{note.text}</li>
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}

const WORDS: Record<string, string> = { completed: "done", done: "done", in_progress: "under way", running: "under way", pending: "to do", waiting: "to do", failed: "failed", cancelled: "cancelled" };

function Mark({ status }: { status: string }) {
  const word = WORDS[status] ?? status.replace(/_/g, " ");
  const icon = word === "done" ? "check" : word === "failed" || word === "cancelled" ? "x" : null;
  return (
    <span className="mark" data-status={word} role="img" aria-label={word}>
      {icon && <Icon name={icon} size={11} />}
    </span>
  );
}

function Cancel({ id, again }: { id: number; again: () => void }) {
  const { agent } = useConversation();
  return (
    <button className="icon-button small" aria-label="Cancel this task" title="Cancel" onClick={() => void agent.call("cancelTask", [id]).then(again, () => undefined)}>
      <Icon name="x" size={12} />
    </button>
  );
}

function Run({ run, again }: { run: RunView; again: () => void }) {
  const { agent } = useConversation();
  const [problem, setProblem] = useState<string | null>(null);
  const act = (method: string, args: unknown[] = []) => {
    setProblem(null);
    agent.call(method, args).then(again, (error: unknown) => setProblem(messageOf(error)));
  };
  const isOn = run.state === "running" || run.state === "paused";
  return (
    <section className="run" data-state={run.state}>
      <h2>On its own {isOn && <span className="tag">{run.state}</span>}</h2>
      {problem && <p className="reason" role="alert">{problem}</p>}
      {run.goal && run.state !== "idle" && <p className="goal">{run.goal}</p>}
      {run.next && isOn && <p className="quiet">Next: {run.next}</p>}
      {run.reason && <p className="quiet">{run.reason}</p>}
      {run.state !== "idle" && <Meters used={run.used} budget={run.budget} />}
      {isOn ? (
        <div className="buttons">
          {run.state === "running" ? (
            <button className="button small" onClick={() => act("pauseRun")}><Icon name="pause" size={14} />Pause</button>
          ) : (
            <button className="button small" onClick={() => act("resumeRun")}><Icon name="play" size={14} />Go on</button>
          )}
          <button className="button small" onClick={() => act("stopContinuousRun")}><Icon name="stop" size={14} />End it</button>
        </div>
      ) : (
        <Begin begin={(goal, budget) => act("startContinuousRun", [{ goal, budget }])} />
      )}
    </section>
  );
}

function Begin({ begin }: { begin: (goal: string, budget: Limits) => void }) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    const number = (name: string) => Number(data.get(name)) || undefined;
    const minutes = number("minutes");
    const goal = String(data.get("goal") ?? "").trim();
    if (goal) begin(goal, JSON.parse(JSON.stringify({ steps: number("steps"), seconds: minutes && minutes * 60 })) as Limits);
  };
  return (
    <form className="begin" onSubmit={submit}>
      <textarea name="goal" rows={2} aria-label="Goal" placeholder="A goal to work at without being asked again" required />
      <label>
        at most <input name="steps" type="number" min="1" defaultValue="50" aria-label="Steps at most" /> steps,
      </label>
      <label>
        <input name="minutes" type="number" min="1" defaultValue="30" aria-label="Minutes at most" /> minutes
      </label>
      <button className="button small primary">Begin</button>
    </form>
  );
}

function Meters({ used, budget }: { used: Limits; budget: Limits }) {
  const rows: [string, number | undefined, number | undefined, (number: number) => string][] = [
    ["steps", used.steps, budget.steps, short],
    ["tokens", used.tokens, budget.tokens, short],
    ["cost", used.cost, budget.cost, (number) => number.toFixed(2)],
    ["time", used.seconds, budget.seconds, (number) => seconds(number * 1000)],
  ];
  return (
    <dl className="meters">
      {rows.map(([name, now, most, words]) =>
        now === undefined && most === undefined ? null : (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              {most !== undefined && <meter min={0} max={most} value={Math.min(now ?? 0, most)} aria-label={name} />}
              {words(now ?? 0)}
              {most !== undefined && <span className="quiet"> of {words(most)}</span>}
            </dd>
          </div>
        ),
      )}
    </dl>
  );
}
