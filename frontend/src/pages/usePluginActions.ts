import { useState } from "react";
import { navigate } from "wouter/use-browser-location";
import { ApiError } from "@/api/http";
import * as studio from "@/api/studio";
import type { Plugin } from "@/api/types";
import { putPlugin, refreshPlugins } from "@/app/wiring";
import { toast, toastError } from "@/ui/toasts";

export type Busy = "loading" | "unloading" | "reloading";

/** Load, unload and reload of one plugin: what is going on, what to tell, and how to take it back. */
export function usePluginActions({ id, name, dependents, permissions }: Plugin) {
  const { asked, granted } = permissions ?? { asked: [], granted: [] };
  const ungranted = asked.filter((permission) => !granted.includes(permission));
  const [busy, setBusy] = useState<Busy>();
  const [blockers, setBlockers] = useState<readonly string[]>();
  const [missing, setMissing] = useState<readonly string[]>();
  const [wantsConfig, setWantsConfig] = useState<ApiError>();

  const run = async <P extends Plugin>(kind: Busy, work: () => Promise<P>, done: (plugin: P) => void) => {
    setBusy(kind);
    try {
      const plugin = await work();
      putPlugin(plugin);
      done(plugin);
      return undefined;
    } catch (error) {
      return error;
    } finally {
      setBusy(undefined);
      refreshPlugins();
    }
  };

  /** True when it is loaded; false when something stands in the way, which has been said or asked. */
  const load = async (options: studio.LoadOptions = {}) => {
    setMissing(undefined);
    const error = await run(
      "loading",
      () => studio.loadPlugin(id, options),
      () => toast({ text: `${name} is loaded.`, tone: "good" }),
    );
    if (error instanceof ApiError && error.code === "permission_required" && ungranted.length > 0)
      setMissing(ungranted);
    else if (error instanceof ApiError && error.code === "config_invalid") setWantsConfig(error);
    else if (error) toastError(`${name} was not loaded.`, error, wayOut(id, error));
    return !error;
  };

  const loadAll = async (ids: readonly string[]) => {
    if (ids.length === 0) return;
    const loads = await Promise.allSettled(ids.map((other) => studio.loadPlugin(other)));
    refreshPlugins();
    const failed = loads.find((one) => one.status === "rejected");
    if (failed) toastError("Not all of them were loaded again.", failed.reason);
  };

  const unload = async (cascade = false) => {
    setBlockers(undefined);
    const others = cascade ? (blockers ?? []) : [];
    const undo = { label: "Undo", run: () => void load().then(() => loadAll(others)) };
    const error = await run(
      "unloading",
      () => studio.unloadPlugin(id, cascade),
      () => toast({ text: `${name} is unloaded.`, action: undo }),
    );
    if (error instanceof ApiError && error.code === "dependents_loaded" && !cascade)
      setBlockers(error.problem.dependents ?? dependents ?? []);
    else if (error) toastError(`${name} was not unloaded.`, error);
  };

  const reload = async () => {
    const error = await run(
      "reloading",
      () => studio.reloadPlugin(id),
      ({ generation }) =>
        toast({ text: `${name} was swapped: generation ${generation} is serving.`, tone: "good" }),
    );
    if (error) toastError(`${name} was not swapped; the one before goes on.`, error, wayOut(id, error));
    return !error;
  };

  return {
    busy,
    blockers,
    missing,
    wantsConfig,
    load,
    unload,
    reload,
    dismissMissing: () => setMissing(undefined),
    dismissBlockers: () => setBlockers(undefined),
    configured: () => setWantsConfig(undefined),
  };
}

/** What plugins want of each other is too much for a message that goes away: their page shows it. */
function wayOut(id: string, error: unknown) {
  if (!(error instanceof ApiError) || !error.code.startsWith("dependency_")) return undefined;
  return { label: "Show why", run: () => navigate(`/plugins/${id}/dependencies`) };
}
