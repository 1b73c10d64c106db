/**
 * Prompt library: saved prompts beside the message box and in the sidebar.
 * Plain JavaScript without a build step; "react" and the SDK are the page's own.
 */
import { PluginType } from "@/plugins/pluginSystem";
import { createElement as h } from "react";
import { ChatInput } from "./chatInput.js";
import { Sidebar } from "./sidebar.js";
import { PromptStore } from "./store.js";

export default class PromptLibraryPlugin {
  metadata = { id: "prompt-library", name: "Prompt library", version: "1.0.0", type: PluginType.UI };
  #store;

  initialize(config, context) {
    this.#store = new PromptStore(context, config.shared ?? []);
    return true;
  }

  getMountPoint() {
    return ["chat-input/v1", "sidebar/v1"];
  }

  getComponent(mountPoint) {
    const store = this.#store;
    const Face = mountPoint === "sidebar" ? Sidebar : ChatInput;
    return ({ context }) => h(Face, { store, context });
  }
}
