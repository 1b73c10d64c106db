import { TriangleAlert } from "lucide-react";
import type { PluginFault } from "@/api/types";

/** Why a plugin is in trouble, and what to do about it. */
export function FaultNote({
  fault: { title, detail, hint, traceback, recoverable },
}: {
  fault: PluginFault;
}) {
  return (
    <div className="fault" role="note">
      <TriangleAlert size={16} aria-hidden="true" />
      <div>
        <strong>{title}</strong>
        {detail && detail !== title && <p>{detail}</p>}
        {hint && <p className="fault-hint">{hint}</p>}
        {!hint && recoverable && <p className="fault-hint">Loading it again may help.</p>}
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
