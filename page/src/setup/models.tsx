// Which model answers here, and how to add one.
import { Copy } from "../chat/code";
import type { ModelChoice, ModelView } from "../models";
import { short } from "../words";

export function Models({ models }: { models: ModelChoice }) {
  const { view, choose, problem } = models;
  if (!view) return null;
  const current = view.answers?.name;
  return (
    <section aria-labelledby="setup-model">
      <h3 id="setup-model">Model</h3>
      {view.models.length === 0 ? (
        <AddModel />
      ) : (
        <div className="choices" role="radiogroup" aria-labelledby="setup-model">
          {sorted(view.models).map((model) => (
            <label key={model.name} className="choice">
              <input type="radio" name="model" checked={model.name === current} onChange={() => choose(model.name)} />
              <strong>{model.name}</strong>
              <span>
                {model.provider} · {model.model}
              </span>
              {model.contextTokens !== undefined && <span className="quiet">{short(model.contextTokens)} tokens</span>}
            </label>
          ))}
        </div>
      )}
      {view.chosen && !view.answers && <p className="reason" role="alert">The model {view.chosen} is not configured any more. Choose another.</p>}
      {problem && <p className="reason" role="alert">{problem}</p>}
      {view.models.length > 0 && <p className="quiet">Counts from the next message on, for everybody here. More models are tables [models.NAME] of hostel.toml.</p>}
    </section>
  );
}

/** The one that answers where nobody chose comes first. */
export const sorted = (models: ModelView[]) => [...models].sort((a, b) => Number(b.name === "main") - Number(a.name === "main"));

const WAYS = [
  { title: "With a key", about: "OPENAI_API_KEY, GEMINI_API_KEY and OPENROUTER_API_KEY do the same", text: "ANTHROPIC_API_KEY=sk-… hostel serve" },
  { title: "On this machine", about: "in hostel.toml; LM Studio, llama.cpp and vLLM work as well", text: '[models.main]\nprovider = "ollama"\nmodel = "qwen3:8b"' },
  { title: "Without any", about: "a model that follows rules, to try everything with", text: "hostel serve --model scripted" },
];

/** Three ways to get one. */
export function AddModel() {
  return (
    <ol className="ways">
      {WAYS.map((way) => (
        <li key={way.title}>
          <strong>{way.title}</strong>
          <p>{way.about}</p>
          <div className="way">
            <pre tabIndex={0}>{way.text}</pre>
            <Copy text={way.text} what={way.title.toLowerCase()} />
          </div>
        </li>
      ))}
    </ol>
  );
}
