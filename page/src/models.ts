// Which models the server has, and which one answers in a conversation.
import { useCallback, useState } from "react";
import { messageOf, useAsked } from "./calls";
import type { Agent } from "./link";
import { settings } from "./settings";

export interface ModelView {
  name: string;
  provider: string;
  model: string;
  contextTokens?: number;
}

export interface ModelsView {
  models: ModelView[];
  chosen?: string;
  answers?: ModelView;
}

export interface ModelChoice {
  view: ModelsView | undefined;
  /** Whether there is a model to answer, as far as is known. */
  hasModel: boolean;
  /** `null` leaves it to the server's main one. */
  choose: (name: string | null) => void;
  problem: string | null;
}

export function useModels(agent: Agent, when: unknown): ModelChoice {
  const asked = useAsked<ModelsView>(agent, "getModels", [], when);
  const [problem, setProblem] = useState<string | null>(null);
  const { again } = asked;
  const choose = useCallback(
    (name: string | null) => {
      setProblem(null);
      agent.call("setModel", [name]).then(again, (error: unknown) => (setProblem(messageOf(error)), again()));
    },
    [agent, again],
  );
  const view = asked.value;
  return { view, hasModel: view ? view.answers !== undefined : settings.model, choose, problem };
}
