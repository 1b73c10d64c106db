import type { Model } from "@/api/types";
import { Value } from "@/plugins/emitter";

const KEY = "studio-model";

/** What the person chose last, kept for the next visit. It may not be loaded any more. */
export const chosenModel = new Value<string | null>(localStorage.getItem(KEY));
chosenModel.subscribe((id) => {
  if (id) localStorage.setItem(KEY, id);
  else localStorage.removeItem(KEY);
});

/** The model to use: the chosen one while it is there, or else the first. */
export function usableModel(models: readonly Model[], chosen: string | null): Model | undefined {
  return models.find((model) => model.id === chosen) ?? models[0];
}
