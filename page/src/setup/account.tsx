// In whose name GitHub is asked. A token goes to the server and is nowhere in this browser afterwards.
import { useRef, useState, type FormEvent } from "react";
import { messageOf, useAsked } from "../calls";
import type { Agent } from "../link";

interface AccountView {
  host: string;
  token?: "you" | "agent" | "everybody";
  login?: string;
  problem?: string;
  vault: boolean;
}

const WHOSE = { you: "your token", agent: "the token of this conversation", everybody: "the token for everybody" };

export function Account({ agent, when }: { agent: Agent; when: unknown }) {
  const { value, error, missing, again } = useAsked<AccountView>(agent, "githubAccount", [], when);
  if (missing !== false && !error) return null;
  return (
    <section aria-labelledby="setup-github">
      <h3 id="setup-github">GitHub</h3>
      {error && <p className="reason" role="alert">{error}</p>}
      {value && <Standing value={value} />}
      {value && !value.vault && <p className="quiet">A token cannot be kept here: the server has no vault. Its operator makes one with <code>hostel vault init --key-file hostel.vault.key</code>.</p>}
      {value?.vault && <Entry agent={agent} value={value} again={again} />}
    </section>
  );
}

function Standing({ value }: { value: AccountView }) {
  if (!value.token) return <p role="status">No token for {value.host}: what is public can be read, and nothing written.</p>;
  return (
    <p role="status">
      {value.login ? (
        <>
          In the name of <strong>{value.login}</strong> on {value.host}, with {WHOSE[value.token]}.
        </>
      ) : (
        <>
          There is {WHOSE[value.token]} for {value.host}. {value.problem}
        </>
      )}
    </p>
  );
}

function Entry({ agent, value, again }: { agent: Agent; value: AccountView; again: () => void }) {
  const field = useRef<HTMLInputElement>(null);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const give = async (token: string | null) => {
    setBusy(true);
    setProblem(null);
    try {
      await agent.call("setGithubToken", [{ token }]);
    } catch (error) {
      setProblem(messageOf(error));
    }
    setBusy(false);
    again();
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const token = field.current?.value.trim() ?? "";
    // It is in the page no longer than it takes to send it.
    event.currentTarget.reset();
    if (token) void give(token);
  };
  const isOwn = value.token === "you" || value.token === "agent";
  return (
    <>
      <form className="fields" onSubmit={submit}>
        <input ref={field} type="password" autoComplete="off" spellCheck={false} aria-label="Token for GitHub" placeholder="github_pat_… or ghp_…" required disabled={isBusy} />
        <button className="button" disabled={isBusy}>{isOwn ? "Replace" : "Keep"}</button>
        {isOwn && (
          <button type="button" className="button plain" disabled={isBusy} onClick={() => void give(null)}>
            Remove
          </button>
        )}
      </form>
      {problem && <p className="reason" role="alert">{problem}</p>}
      <p className="quiet">It goes into the server's vault, where only what talks to {value.host} finds it. A fine-grained token needs Contents, Issues and Pull requests, read and write.</p>
    </>
  );
}
