import { TriangleAlert, Undo2 } from "lucide-react";
import type { PluginFault } from "@/api/types";
import { When } from "@/ui/When";

/** Why a plugin is in trouble, and what to do about it; or that it got itself out of trouble. */
export function FaultNote({ fault }: { fault: PluginFault }) {
  const { title, detail, hint, traceback, recoverable, at, code } = fault;
  const rolledBack = code === "soak_failed";
  const Icon = rolledBack ? Undo2 : TriangleAlert;
  return (
    <div className={rolledBack ? "fault fault-mild" : "fault"} role="note">
      <Icon size={16} aria-hidden="true" />
      <div>
        <strong>{rolledBack ? "Rolled back by itself" : title}</strong>
        {at && (
          <span className="fault-at">
            <When at={at} />
          </span>
        )}
        {rolledBack && <p>{title}.</p>}
        {detail && detail !== title && <p>{detail}</p>}
        {hint && <p className="fault-hint">{hint}</p>}
        {!hint && recoverable && !rolledBack && <p className="fault-hint">Loading it again may help.</p>}
        {traceback && (
          <details>
            <summary>Traceback</summary>
            <pre>{traceback}</pre>
          </details>
        )}
      </div>
    </div>
  );
}
