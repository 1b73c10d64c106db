import { X } from "lucide-react";
import { useEffect } from "react";
import { Value } from "@/plugins/emitter";
import { useReadable } from "@/plugins/react";

export interface Toast {
  readonly text: string;
  readonly tone?: "plain" | "good" | "bad";
  readonly action?: { readonly label: string; readonly run: () => void };
}

interface Shown extends Toast {
  readonly id: number;
}

const LIFE_MS = 7_000;
const shown = new Value<readonly Shown[]>([]);
let serial = 0;

export function toast(toast: Toast): void {
  shown.set([...shown.get().slice(-3), { ...toast, id: ++serial }]);
}

export function toastError(what: string, error: unknown, action?: Toast["action"]): void {
  const why = error instanceof Error ? error.message : String(error);
  toast({ text: `${what} ${why}`, tone: "bad", ...(action && { action }) });
}

/** Nothing of what was said may be acted upon any more: somebody else sits here now. */
export function clearToasts(): void {
  shown.set([]);
}

function dismiss(id: number): void {
  shown.set(shown.get().filter((one) => one.id !== id));
}

export function Toasts() {
  const toasts = useReadable(shown);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {toasts.map((one) => (
        <ToastCard key={one.id} toast={one} />
      ))}
    </div>
  );
}

function ToastCard({ toast: { id, text, tone = "plain", action } }: { toast: Shown }) {
  useEffect(() => {
    const timer = setTimeout(() => dismiss(id), LIFE_MS);
    return () => clearTimeout(timer);
  }, [id]);
  const act = () => {
    dismiss(id);
    action?.run();
  };
  return (
    <div className={`toast toast-${tone}`}>
      <span>{text}</span>
      {action && (
        <button type="button" className="toast-action" onClick={act}>
          {action.label}
        </button>
      )}
      <button type="button" className="icon-button" aria-label="Dismiss" onClick={() => dismiss(id)}>
        <X size={14} />
      </button>
    </div>
  );
}
