// Light, dark, or as the system has it.
import { useEffect } from "react";
import { useKept } from "./kept";

export type Theme = "system" | "light" | "dark";

export function useTheme(): [Theme, (theme: Theme) => void] {
  const [theme, set] = useKept<Theme>("theme", "system");
  useEffect(() => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }, [theme]);
  return [theme, set];
}

export const NEXT: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };
