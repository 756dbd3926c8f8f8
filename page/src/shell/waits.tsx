// MCP servers that wait until somebody signs in there, each with the way to it.
import { Icon } from "./icon";

/** A server that waits, and where somebody signs in. */
export interface Waiting {
  name: string;
  url: string;
}

interface Told {
  name: string;
  state: string;
  auth_url: string | null;
}

/** Those that wait, of all that the server told of. An address is its word: nothing but a web page is opened. */
export function waitingIn(servers: Record<string, Told>): Waiting[] {
  const isPage = (url: string) => URL.canParse(url) && ["http:", "https:"].includes(new URL(url).protocol);
  return Object.values(servers).flatMap(({ name, state, auth_url: url }) => (state === "authenticating" && url && isPage(url) ? [{ name, url }] : []));
}

export function Waits({ waiting }: { waiting: Waiting[] }) {
  if (waiting.length === 0) return null;
  return (
    <div className="status waits" role="status">
      <Icon name="key" />
      <div>
        {waiting.map((one) => (
          <p key={one.name}>
            The MCP server <strong>{one.name}</strong> waits until somebody signs in. <SignInLink waiting={one} />
          </p>
        ))}
      </div>
    </div>
  );
}

export function SignInLink({ waiting }: { waiting: Waiting }) {
  return (
    <a href={waiting.url} target="_blank" rel="noopener noreferrer" aria-label={`Sign in for the MCP server ${waiting.name}`}>
      Sign in at {new URL(waiting.url).host}
    </a>
  );
}
