// A block of code: its language, colours, and a button to copy it.
import { memo, useState } from "react";
import { Icon } from "../shell/icon";
import { Coloured } from "./coloured";

export const Code = memo(function Code({ text, language }: { text: string; language: string }) {
  const word = language.split(/[\s,{]/)[0].toLowerCase();
  return (
    <figure className="code">
      <figcaption>
        <span>{word || "text"}</span>
        <Copy text={text} what="the code" />
      </figcaption>
      <pre tabIndex={0}>
        <code>
          <Coloured text={text} language={word} />
        </code>
      </pre>
    </figure>
  );
});

export function Copy({ text, what }: { text: string; what: string }) {
  const [isDone, setDone] = useState(false);
  const copy = async () => {
    if (!(await copied(text))) return;
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return (
    <button className="icon-button small" aria-label={isDone ? "Copied" : `Copy ${what}`} title={`Copy ${what}`} onClick={() => void copy()}>
      <Icon name={isDone ? "check" : "copy"} size={14} />
    </button>
  );
}

/** Browsers have a clipboard only for pages from this machine or over TLS; elsewhere the old way is left. */
async function copied(text: string): Promise<boolean> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text).then(() => true, () => false);
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const isDone = document.execCommand("copy");
  field.remove();
  return isDone;
}
