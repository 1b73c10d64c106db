import { Value } from "@/plugins/emitter";
import type { Theme } from "@/plugins/types";

export type ThemeChoice = Theme | "system";

const KEY = "studio-theme";
const dark = () => window.matchMedia("(prefers-color-scheme: dark)");

export const themeChoice = new Value<ThemeChoice>(stored());
export const theme = new Value<Theme>(resolve());

/** Keeps the document, and whoever listens to `theme`, at what the person or the system wants. */
export function startTheme(): void {
  const apply = () => {
    theme.set(resolve());
    document.documentElement.dataset.theme = theme.get();
  };
  themeChoice.subscribe(apply);
  dark().addEventListener("change", apply);
  apply();
}

export function chooseTheme(choice: ThemeChoice): void {
  if (choice === "system") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, choice);
  themeChoice.set(choice);
}

export function toggleTheme(): void {
  chooseTheme(theme.get() === "dark" ? "light" : "dark");
}

function resolve(): Theme {
  const choice = themeChoice.get();
  if (choice !== "system") return choice;
  return dark().matches ? "dark" : "light";
}

function stored(): ThemeChoice {
  const value = localStorage.getItem(KEY);
  return value === "dark" || value === "light" ? value : "system";
}
