// In place of a conversation: the server wants to know who somebody is.
import type { FormEvent } from "react";
import type { LinkState } from "../link";
import { setToken, useToken } from "../token";
import { Icon } from "./icon";

export function SignIn({ link }: { link: LinkState }) {
  const had = useToken();
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    const token = String(data.get("token") ?? "").trim();
    if (token) setToken(token, data.get("stay") === "on");
  };
  return (
    <div className="sign-in">
      <form onSubmit={submit}>
        <Icon name="key" size={24} />
        <h2>{had ? "The server does not take this token" : "This server wants to know who you are"}</h2>
        {had && link.refusal && <p role="alert">{link.refusal.error}</p>}
        <p>
          Ask whoever runs it for a token. They make one with <code>hostel token new NAME</code>.
        </p>
        <input name="token" type="password" autoComplete="current-password" autoFocus aria-label="Token" placeholder="hst_…" required />
        <label>
          <input name="stay" type="checkbox" /> Stay signed in on this device
        </label>
        <button className="button primary">Sign in</button>
      </form>
    </div>
  );
}
