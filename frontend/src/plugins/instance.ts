import { PluginManager } from "./manager";

/** The page's one plugin manager. */
export const pluginManager = new PluginManager();
