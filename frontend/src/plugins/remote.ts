/** UI plugins of the server: keeps what this page has loaded equal to what the server says is active. */
import { messageOf, UIPluginError } from "./errors";
import type { PluginManager } from "./manager";
import { IUIPlugin, type PluginConfig } from "./types";

export interface RemotePlugin {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  /** Changes with every change of its code or configuration. */
  readonly digest: string | null;
  readonly generation: number | null;
  readonly config: PluginConfig;
  readonly ui: {
    readonly entry: string;
    readonly mounts: readonly string[];
    readonly isolation: "page" | "iframe";
  };
}

export interface RemoteOptions {
  readonly importModule?: (url: string) => Promise<{ default?: unknown }>;
  /** Makes the plugin that shows a remote one inside a sandboxed frame. */
  readonly frame: (remote: RemotePlugin) => IUIPlugin;
}

export class RemotePlugins {
  readonly #manager: PluginManager;
  readonly #options: RemoteOptions;
  /** What was last tried for each plugin, loaded or failed: the same thing is not tried again. */
  readonly #tried = new Map<string, string>();
  #turn: Promise<void> = Promise.resolve();

  constructor(manager: PluginManager, options: RemoteOptions) {
    this.#manager = manager;
    this.#options = options;
  }

  /**
   * Loads, swaps and unloads until the page has exactly these. A plugin that fails is reported, not thrown.
   * Those in `keep` are between two states on the server: what this page shows of them stays as it is.
   */
  sync(wanted: readonly RemotePlugin[], keep: readonly string[] = []): Promise<void> {
    this.#turn = this.#turn.then(() => this.#sync(wanted, keep));
    return this.#turn;
  }

  /** Whether this page itself tells of the plugin's loads and unloads. */
  has(pluginId: string): boolean {
    return this.#tried.has(pluginId);
  }

  async #sync(wanted: readonly RemotePlugin[], keep: readonly string[]): Promise<void> {
    const ids = new Set([...wanted.map((remote) => remote.id), ...keep]);
    const gone = [...this.#tried.keys()].filter((id) => !ids.has(id));
    await Promise.all([...gone.map((id) => this.#drop(id)), ...wanted.map((remote) => this.#take(remote))]);
  }

  async #drop(id: string): Promise<void> {
    await this.#manager.unloadPlugin(id);
    this.#tried.delete(id);
  }

  async #take(remote: RemotePlugin): Promise<void> {
    const key = JSON.stringify([remote.digest, remote.generation, remote.ui]);
    if (this.#tried.get(remote.id) === key) return;
    this.#tried.set(remote.id, key);
    const { id, name, version, ui } = remote;
    const module = await this.#open(remote);
    if (!module) return;
    const load = this.#manager.loadPlugin(module, remote.config, { id, name, version, mounts: ui.mounts });
    await load.catch(() => undefined); // the manager has logged it and told the hooks
  }

  async #open(remote: RemotePlugin): Promise<IUIPlugin | undefined> {
    try {
      if (remote.ui.isolation === "iframe") return this.#options.frame(remote);
      const load = this.#options.importModule ?? importModule;
      return instantiate(await load(remote.ui.entry));
    } catch (error) {
      console.error(`UI plugin "${remote.id}" was not loaded`, error);
      this.#manager.emit("plugin:failed", remote.id, { error });
      return undefined;
    }
  }
}

function importModule(url: string): Promise<{ default?: unknown }> {
  return import(/* @vite-ignore */ url);
}

/** A module's default export is a plugin, or a class of one. */
export function instantiate(module: { default?: unknown }): IUIPlugin {
  const exported = module.default;
  if (IUIPlugin.is(exported)) return exported;
  if (typeof exported !== "function") throw new UIPluginError(noPlugin(exported));
  let made: unknown;
  try {
    made = new (exported as new () => unknown)();
  } catch (error) {
    throw new UIPluginError(`Its default export could not be constructed: ${messageOf(error)}`, {
      cause: error,
    });
  }
  if (IUIPlugin.is(made)) return made;
  throw new UIPluginError("Its default export is a class without getComponent().");
}

function noPlugin(exported: unknown): string {
  if (exported === undefined) return "Its entry module has no default export.";
  return "Its default export is neither a class nor an object with getComponent().";
}
