// What the server says of itself, in the page's head.

export interface Settings {
  /** First part of an agent's path. */
  prefix: string;
  version: string;
  /** Whether a model is configured for the agents here. */
  model: boolean;
}

const FALLBACK: Settings = { prefix: "agents", version: "", model: true };

export const settings: Settings = read();

function read(): Settings {
  const text = document.querySelector<HTMLMetaElement>('meta[name="hostel"]')?.content ?? "";
  try {
    return { ...FALLBACK, ...(JSON.parse(text) as Partial<Settings>) };
  } catch {
    return FALLBACK;
  }
}

/** The class that this page is for, under the name it has always had. */
export const AGENT = "coder";
