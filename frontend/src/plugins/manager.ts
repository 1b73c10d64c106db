import { Emitter } from "./emitter";
import { messageOf, UIPluginError } from "./errors";
import { type ContextLease, HostServices, leaseContext } from "./host";
import { type MountPoint, parseMounts } from "./mounts";
import {
  IUIPlugin,
  type PluginConfig,
  type PluginEvent,
  type PluginEventDetail,
  type PluginHook,
  PluginType,
  type UIComponent,
  type Undo,
} from "./types";

/** What the manager knows of a plugin that is loaded. A new object after every change. */
export interface LoadedPlugin {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly type: PluginType;
  readonly plugin: IUIPlugin;
  readonly config: PluginConfig;
  /** Grows with every load of this page, so that no two loads share a React key. */
  readonly revision: number;
  readonly components: ReadonlyMap<MountPoint, UIComponent>;
  readonly context: ContextLease["context"];
}

/** One component at one place. */
export interface MountedComponent {
  readonly key: string;
  readonly component: UIComponent;
  readonly plugin: LoadedPlugin;
}

export interface LoadOptions {
  /** What the server calls it; without it the plugin's metadata or class name decides. */
  readonly id?: string;
  readonly name?: string;
  readonly version?: string;
  /** The places it may use (its manifest's `mounts`); without it, any. */
  readonly mounts?: readonly string[];
}

interface Entry {
  readonly loaded: LoadedPlugin;
  readonly options: LoadOptions;
  readonly release: Undo;
}

const NOTHING: readonly MountedComponent[] = [];
const INIT_LIMIT_MS = 30_000;
const ID = /^[a-z0-9]+(-[a-z0-9]+)*$/;

type Hooks = { [E in PluginEvent]: PluginHook };

/** Loads, swaps and unloads UI plugins. Knows nothing of React; `react.tsx` is its binding. */
export class PluginManager {
  readonly host = new HostServices();
  readonly #entries = new Map<string, Entry>();
  readonly #queues = new Map<string, Promise<unknown>>();
  readonly #hooks = new Emitter<Hooks>();
  readonly #changes = new Emitter<{ change: () => unknown }>();
  readonly #starts: (() => unknown)[] = [];
  #mounted = new Map<MountPoint, readonly MountedComponent[]>();
  #plugins: readonly LoadedPlugin[] = [];
  #revision = 0;
  #initialized: Promise<void> | undefined;

  /** Runs what `onInitialize` registered, once, however often it is called. */
  initialize(): Promise<void> {
    this.#initialized ??= Promise.all(this.#starts.map((start) => start())).then(() => undefined);
    return this.#initialized;
  }

  /** For the page: something to start with the manager, such as the loader of the server's plugins. */
  onInitialize(start: () => unknown): void {
    this.#starts.push(start);
  }

  /**
   * Initializes the plugin and mounts its components. A plugin already loaded under the same id is swapped:
   * it stays mounted until the new one is ready, and stays for good if the new one fails.
   */
  loadPlugin(plugin: IUIPlugin, config: PluginConfig = {}, options: LoadOptions = {}): Promise<LoadedPlugin> {
    const id = options.id ?? pluginIdOf(plugin);
    return this.#inTurn(id, () => this.#load(id, plugin, config, options));
  }

  /** `false` when no such plugin is loaded. */
  unloadPlugin(pluginId: string): Promise<boolean> {
    return this.#inTurn(pluginId, async () => {
      const entry = this.#entries.get(pluginId);
      if (!entry) return false;
      this.#entries.delete(pluginId);
      this.#publish();
      await retire(entry);
      this.emit("plugin:unloaded", pluginId);
      return true;
    });
  }

  /** Initializes a loaded plugin anew: with new code, with a new configuration, or just afresh. */
  reload(pluginId: string, next: { plugin?: IUIPlugin; config?: PluginConfig } = {}): Promise<LoadedPlugin> {
    const entry = this.#entries.get(pluginId);
    if (!entry) return Promise.reject(notLoaded(pluginId));
    const { plugin, config } = entry.loaded;
    return this.loadPlugin(next.plugin ?? plugin, next.config ?? config, { ...entry.options, id: pluginId });
  }

  getPlugin(pluginId: string): LoadedPlugin | undefined {
    return this.#entries.get(pluginId)?.loaded;
  }

  /** The same array until something changes. */
  getPlugins = (): readonly LoadedPlugin[] => this.#plugins;

  getPluginsByType(type: PluginType): readonly LoadedPlugin[] {
    return this.#plugins.filter((loaded) => loaded.type === type);
  }

  /** The components at a place, in the order of their plugins' ids; the same array until something changes. */
  getMounted(point: MountPoint): readonly MountedComponent[] {
    return this.#mounted.get(point) ?? NOTHING;
  }

  subscribe = (listener: () => void): Undo => this.#changes.on("change", listener);

  /** Calls back on a lifecycle event; returns its own undo. A hook that fails is logged and harms nothing. */
  registerHook(event: PluginEvent, hook: PluginHook): Undo {
    return this.#hooks.on(event, hook);
  }

  emit(event: PluginEvent, pluginId: string, detail: Partial<PluginEventDetail> = {}): void {
    this.#hooks.emit(event, pluginId, { source: "page", ...detail, pluginId });
  }

  /** For the binding: a mounted component threw while rendering. */
  reportCrash(pluginId: string, error: unknown): void {
    console.error(`UI plugin "${pluginId}" crashed`, error);
    this.emit("plugin:crashed", pluginId, { error });
  }

  async #load(
    id: string,
    plugin: IUIPlugin,
    config: PluginConfig,
    options: LoadOptions,
  ): Promise<LoadedPlugin> {
    this.emit("plugin:loading", id);
    const before = this.#entries.get(id);
    try {
      // The same object cannot be the old and the new one at once.
      if (before?.loaded.plugin === plugin) await shutDown(before);
      const entry = await this.#start(id, plugin, config, options);
      this.#entries.set(id, entry);
      this.#publish();
      if (before) await this.#retireReplaced(before, plugin);
      this.emit(before ? "plugin:reloaded" : "plugin:loaded", id);
      return entry.loaded;
    } catch (error) {
      console.error(`UI plugin "${id}" was not loaded`, error);
      this.emit("plugin:failed", id, { error });
      throw error;
    }
  }

  async #start(id: string, plugin: IUIPlugin, config: PluginConfig, options: LoadOptions): Promise<Entry> {
    checkShape(id, plugin);
    const frozen = Object.freeze({ ...config });
    const points = mountsOf(id, plugin, options.mounts);
    const lease = leaseContext(this.host, id, frozen);
    try {
      await initialize(id, plugin, frozen, lease);
      const components = new Map(points.map((point) => [point, componentAt(id, plugin, point)]));
      const loaded = describe(id, plugin, frozen, lease, components, options, ++this.#revision);
      return { loaded, options, release: lease.release };
    } catch (error) {
      lease.release();
      throw error;
    }
  }

  async #retireReplaced(before: Entry, plugin: IUIPlugin): Promise<void> {
    if (before.loaded.plugin === plugin) before.release();
    else await retire(before);
  }

  /** One change of one plugin at a time; what one call does not see is a half-done other. */
  #inTurn<T>(id: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#queues.get(id) ?? Promise.resolve()).then(work, work);
    this.#queues.set(id, turn);
    const forget = () => {
      if (this.#queues.get(id) === turn) this.#queues.delete(id);
    };
    turn.then(forget, forget);
    return turn;
  }

  #publish(): void {
    const plugins = [...this.#entries.values()].map((entry) => entry.loaded);
    this.#plugins = plugins.sort((a, b) => a.id.localeCompare(b.id));
    this.#mounted = mountedOf(this.#plugins);
    this.#changes.emit("change");
  }
}

/** `metadata.id`, or else the class name in kebab case: `MyPlugin` -> `my-plugin`. */
export function pluginIdOf(plugin: IUIPlugin): string {
  const id = plugin.metadata?.id ?? kebab(plugin.constructor?.name ?? "");
  if (id && id !== "object" && ID.test(id)) return id;
  throw new UIPluginError(`Give the plugin an id: metadata.id is ${JSON.stringify(plugin.metadata?.id)}.`);
}

function kebab(name: string): string {
  const words = name.replace(/([a-z0-9])([A-Z])/g, "$1-$2").replace(/([A-Z]+)([A-Z][a-z])/g, "$1-$2");
  return words.replace(/[_$]+/g, "-").toLowerCase();
}

function checkShape(pluginId: string, plugin: unknown): void {
  if (IUIPlugin.is(plugin)) return;
  throw new UIPluginError("It has no getComponent() method, so there is nothing to show.", { pluginId });
}

/** Where it wants to be, which must be within what its manifest names. */
function mountsOf(id: string, plugin: IUIPlugin, allowed?: readonly string[]): readonly MountPoint[] {
  const permitted = allowed && parseMounts(allowed);
  if (permitted && typeof plugin.getMountPoint !== "function") return permitted;
  const points = parseMounts(plugin.getMountPoint());
  const stray = permitted && points.find((point) => !permitted.includes(point));
  if (!stray) return points;
  throw new UIPluginError(`It mounts at "${stray}", which its manifest does not name.`, { pluginId: id });
}

async function initialize(
  id: string,
  plugin: IUIPlugin,
  config: PluginConfig,
  lease: ContextLease,
): Promise<void> {
  let ready: unknown;
  try {
    ready = await within(INIT_LIMIT_MS, plugin.initialize?.(config, lease.context));
  } catch (error) {
    throw new UIPluginError(`Its initialize() failed: ${messageOf(error)}`, { pluginId: id, cause: error });
  }
  if (ready === false) throw new UIPluginError("Its initialize() returned false.", { pluginId: id });
}

/** A plugin that never gets ready must not hold up its own next reload for ever. */
function within<T>(limitMs: number, work: T): Promise<Awaited<T>> {
  return new Promise<Awaited<T>>((resolve, reject) => {
    const late = () => reject(new UIPluginError(`it was not ready within ${limitMs / 1000} seconds`));
    const timer = setTimeout(late, limitMs);
    Promise.resolve(work)
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
  });
}

function componentAt(id: string, plugin: IUIPlugin, point: MountPoint): UIComponent {
  const component: unknown = plugin.getComponent(point);
  // memo() and forwardRef() give objects, so "not nothing and not a string" is all that can be asked.
  if (component && typeof component !== "string") return component as UIComponent;
  throw new UIPluginError(`Its getComponent("${point}") returned no component.`, { pluginId: id });
}

function describe(
  id: string,
  plugin: IUIPlugin,
  config: PluginConfig,
  lease: ContextLease,
  components: ReadonlyMap<MountPoint, UIComponent>,
  options: LoadOptions,
  revision: number,
): LoadedPlugin {
  const { name, version, type } = plugin.metadata ?? {};
  return {
    id,
    name: options.name ?? name ?? id,
    version: options.version ?? version ?? "0.0.0",
    type: type ?? PluginType.UI,
    plugin,
    config,
    revision,
    components,
    context: lease.context,
  };
}

async function retire(entry: Entry): Promise<void> {
  await shutDown(entry);
  entry.release();
}

async function shutDown({ loaded }: Entry): Promise<void> {
  try {
    await loaded.plugin.shutdown?.();
  } catch (error) {
    // It is leaving anyway: its own clean-up must not keep it here.
    console.error(`shutdown() of UI plugin "${loaded.id}" failed`, error);
  }
}

function mountedOf(plugins: readonly LoadedPlugin[]): Map<MountPoint, readonly MountedComponent[]> {
  const mounted = new Map<MountPoint, MountedComponent[]>();
  for (const plugin of plugins) {
    for (const [point, component] of plugin.components) {
      const place = mounted.get(point) ?? [];
      mounted.set(point, [...place, { key: `${plugin.id}@${plugin.revision}`, component, plugin }]);
    }
  }
  return mounted;
}

function notLoaded(pluginId: string): UIPluginError {
  return new UIPluginError(`UI plugin "${pluginId}" is not loaded.`, { pluginId });
}
