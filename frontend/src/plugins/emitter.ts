import type { Readable, Undo } from "./types";

type Listener = (...args: never[]) => unknown;

/**
 * Typed events. A listener that throws or rejects is logged and harms nobody: neither the one who emits
 * nor the listeners after it.
 */
export class Emitter<Events extends { [E in keyof Events]: Listener }> {
  readonly #listeners = new Map<keyof Events, Set<Listener>>();

  on<E extends keyof Events>(event: E, listener: Events[E]): Undo {
    const own = (...args: never[]) => listener(...args);
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(own));
    return () => void listeners.delete(own);
  }

  emit<E extends keyof Events>(event: E, ...args: Parameters<Events[E]>): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) {
      callSafely(() => listener(...(args as never[])), `A listener of "${String(event)}" failed`);
    }
  }
}

/** Runs foreign code: what it throws or rejects with is logged, never passed on. */
export function callSafely(call: () => unknown, complaint: string): void {
  try {
    const result = call();
    if (result instanceof Promise) result.catch((error: unknown) => console.error(complaint, error));
  } catch (error) {
    console.error(complaint, error);
  }
}

/** A value with subscribers. Setting the same value tells nobody. */
export class Value<T> implements Readable<T> {
  #value: T;
  readonly #changes = new Emitter<{ change: (value: T) => unknown }>();

  constructor(initial: T) {
    this.#value = initial;
  }

  get = (): T => this.#value;

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    this.#changes.emit("change", value);
  }

  subscribe = (listener: (value: T) => void): Undo => this.#changes.on("change", listener);
}
