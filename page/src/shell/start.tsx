// What an empty conversation shows.
import { AddModel } from "../setup/models";
import { Icon } from "./icon";

const IDEAS = ["What is in this workspace?", "Clone https://github.com/… and tell me how it is built", "Run the tests and mend what fails"];
/** What works without a model. */
const BY_HAND = ["/help", "/clone https://github.com/…", "/run ls"];

export function Start({ say, hasModel }: { say: (text: string) => void; hasModel: boolean }) {
  if (!hasModel) return <NoModel say={say} />;
  return (
    <section className="start">
      <h1>What shall we build?</h1>
      <p>This agent has a workspace on the server. It reads, edits, runs commands in a sandbox, and asks before it changes anything. It works on when this page is closed.</p>
      <ul>
        {IDEAS.map((idea) => (
          <li key={idea}>
            <button onClick={() => say(idea)}>{idea}</button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function NoModel({ say }: { say: (text: string) => void }) {
  return (
    <section className="start">
      <h1>
        <Icon name="key" size={24} /> No model is configured yet
      </h1>
      <p>Everything else is ready. Start the server again in one of these ways:</p>
      <AddModel />
      <ul className="by-hand">
        <li>Until then, the same tools by hand:</li>
        {BY_HAND.map((command) => (
          <li key={command}>
            <button onClick={() => say(command)}>{command}</button>
          </li>
        ))}
      </ul>
    </section>
  );
}
