import { UIPluginError } from "./errors";

/** The places of the page where UI plugins can appear. */
export const MOUNT_POINTS = [
  "toolbar",
  "sidebar",
  "chat-input",
  "message-actions",
  "tool-result",
  "right-panel",
  "settings-tab",
  "command-palette",
] as const;
export type MountPoint = (typeof MOUNT_POINTS)[number];

const VERSION = 1;

/** `"toolbar"` and `"toolbar/v1"` are the same place; a version we do not have is refused, not guessed at. */
export function parseMount(text: string): MountPoint {
  const [name, version, ...rest] = text.split("/");
  const point = MOUNT_POINTS.find((known) => known === name);
  if (!point || rest.length > 0) throw unknownMount(text);
  if (version !== undefined && version !== `v${VERSION}`) {
    throw new UIPluginError(
      `Mount point "${text}" is not offered here; this studio has "${point}/v${VERSION}".`,
    );
  }
  return point;
}

export function parseMounts(mounts: string | readonly string[]): readonly MountPoint[] {
  const list = typeof mounts === "string" ? [mounts] : mounts;
  if (list.length === 0) throw new UIPluginError("It names no mount point, so there is nowhere to show it.");
  return [...new Set(list.map(parseMount))];
}

function unknownMount(text: string): UIPluginError {
  return new UIPluginError(`There is no mount point "${text}". Known: ${MOUNT_POINTS.join(", ")}.`);
}
