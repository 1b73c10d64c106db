import { Value } from "@/plugins/emitter";

export type OverlayName = "sidebar" | "palette" | "settings" | "import" | "deleted";

/** Which one of the page's overlays is open; never two. */
export const overlay = new Value<OverlayName | null>(null);

export const Overlay = {
  open: (name: OverlayName) => overlay.set(name),
  close: (name: OverlayName) => {
    if (overlay.get() === name) overlay.set(null);
  },
  toggle: (name: OverlayName) => overlay.set(overlay.get() === name ? null : name),
};
