import { useState } from "react";
import { ApiError } from "@/api/http";
import * as management from "@/api/management";
import * as studio from "@/api/studio";
import type { Plugin } from "@/api/types";
import { dropPlugin, putPlugin, refreshPlugins } from "@/app/wiring";
import { toast, toastError } from "@/ui/toasts";

/**
 * Removes a plugin, unloading it before where it is loaded; all of it can be taken back.
 * `onLeaving` is called before it is gone: a page that shows it would go on asking for it.
 */
export function useRemoval(
  { id, name, state, generation, required_by: demands = [] }: Plugin,
  onLeaving = () => {},
) {
  const [asking, setAsking] = useState(false);
  const [blockers, setBlockers] = useState<readonly string[]>();
  // It may be wanted and not serve: then it has a generation all the same.
  const loaded = generation !== null;

  /** `others` are taken along: they depend on it. */
  const remove = async (others?: readonly string[]) => {
    setAsking(false);
    setBlockers(undefined);
    try {
      if (loaded) await studio.unloadPlugin(id, others !== undefined);
      onLeaving();
      await management.removePlugin(id);
      dropPlugin(id);
      const reloaded = state === "active" ? [id, ...(others ?? [])] : [];
      const undo = { label: "Undo", run: () => void restore(id, name, reloaded) };
      toast({ text: `${name} is removed.`, action: undo });
    } catch (error) {
      if (error instanceof ApiError && error.code === "dependents_loaded" && !others)
        setBlockers(error.problem.dependents ?? []);
      else toastError(`${name} was not removed.`, error);
    } finally {
      refreshPlugins();
    }
  };

  const ask = () => {
    if (loaded && demands.length > 0) setBlockers(demands.map((demand) => demand.id));
    else if (loaded) setAsking(true);
    else void remove();
  };

  const dismiss = () => {
    setAsking(false);
    setBlockers(undefined);
  };

  return { asking, blockers, ask, remove, dismiss };
}

/** Brings a removed plugin back as it was, and loads again what was loaded. */
export async function restore(id: string, name: string, loaded: readonly string[] = []): Promise<void> {
  try {
    putPlugin(await management.restorePlugin(id));
    for (const one of loaded) putPlugin(await studio.loadPlugin(one));
    toast({ text: `${name} is back${loaded.length > 0 ? " and loaded" : ""}.`, tone: "good" });
  } catch (error) {
    toastError(`${name} did not come back as it was.`, error);
  } finally {
    refreshPlugins();
  }
}
