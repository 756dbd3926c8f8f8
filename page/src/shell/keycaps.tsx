// A shortcut, drawn as keys.
import { labels } from "../keys";

export function Keycaps({ keys }: { keys: string }) {
  return (
    <span className="keycaps" aria-hidden="true">
      {labels(keys).map((label) => (
        <kbd key={label}>{label}</kbd>
      ))}
    </span>
  );
}
