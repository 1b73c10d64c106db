/** Something about a UI plugin is wrong; the message says what, and is meant to be shown. */
export class UIPluginError extends Error {
  override readonly name = "UIPluginError";
  readonly pluginId: string | undefined;

  constructor(message: string, options: { pluginId?: string; cause?: unknown } = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.pluginId = options.pluginId;
  }
}

export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message || error.name;
  return typeof error === "string" ? error : (JSON.stringify(error) ?? "unknown error");
}
