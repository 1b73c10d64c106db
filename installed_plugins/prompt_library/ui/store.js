/** The prompts of the person at this page. The plugin's Python half keeps them; this is what is known of them here. */

const UNDO_MS = 7_000;

export class PromptStore {
  #context;
  #shared;
  #state = { status: "waiting", prompts: [], error: "", deleted: null };
  #listeners = new Set();
  #timer;

  constructor(context, shared) {
    this.#context = context;
    this.#shared = shared.map((prompt, index) => ({ ...prompt, id: `shared-${index}`, shared: true }));
  }

  get = () => this.#state;

  subscribe = (listener) => {
    this.#listeners.add(listener);
    if (this.#state.status === "waiting") void this.load();
    return () => this.#listeners.delete(listener);
  };

  /** One's own, then what everybody has. */
  get all() {
    return [...this.#state.prompts, ...this.#shared];
  }

  load = async () => {
    this.#set({ status: "loading", error: "" });
    try {
      this.#set({ status: "ready", prompts: await this.#context.call("list_prompts") });
    } catch (error) {
      this.#set({ status: "failed", error: error.message });
    }
  };

  /** How many were new. Throws with words for people. */
  async save(prompts) {
    const { prompts: all, added } = await this.#context.call("save_prompts", { prompts });
    this.#set({ status: "ready", prompts: all });
    return added;
  }

  async remove(prompt) {
    const prompts = await this.#context.call("delete_prompt", { prompt_id: prompt.id });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#set({ deleted: null }), UNDO_MS);
    this.#set({ prompts, deleted: prompt });
  }

  async undo() {
    const { deleted } = this.#state;
    if (!deleted) return;
    clearTimeout(this.#timer);
    this.#set({ deleted: null });
    await this.save([deleted]);
  }

  #set(change) {
    this.#state = { ...this.#state, ...change };
    for (const listener of [...this.#listeners]) listener();
  }
}
