// Which model answers, below the field where people write.
import type { ModelChoice } from "./models";
import { sorted } from "./setup/models";
import { Icon } from "./shell/icon";

export function ModelPicker({ models, isOpen, open }: { models: ModelChoice; isOpen: boolean; open: () => void }) {
  const { view, choose } = models;
  if (!view) return null;
  if (!view.answers) {
    return (
      <button type="button" className="model-none" onClick={open}>
        <Icon name="alert" size={14} />
        {view.chosen && view.models.length > 0 ? `${view.chosen} is gone` : "No model"}
      </button>
    );
  }
  const { answers } = view;
  if (view.models.length < 2) {
    return (
      <span className="model-picker" title={`${answers.provider}: ${answers.model} answers`}>
        {answers.model}
      </span>
    );
  }
  return (
    <label className="model-picker" title={`${answers.provider}: ${answers.model} answers`}>
      <select aria-label="Model that answers" value={answers.name} disabled={!isOpen} onChange={(event) => choose(event.target.value)}>
        {sorted(view.models).map((model) => (
          <option key={model.name} value={model.name}>
            {model.name === model.model ? model.name : `${model.name}: ${model.model}`}
          </option>
        ))}
      </select>
      <Icon name="down" size={12} />
    </label>
  );
}
