import { RotateCw, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { ApiError } from "@/api/http";

export function Splash() {
  return (
    <div className="splash" role="status" aria-label="Loading">
      <Spinner size={28} />
    </div>
  );
}

export function Spinner({ size = 16 }: { size?: number }) {
  return <span className="spinner" style={{ width: size, height: size }} aria-hidden="true" />;
}

interface ProblemProps {
  readonly error: unknown;
  readonly onRetry?: () => void;
  readonly full?: boolean;
}

/** Something could not be shown: what, why, and a way on. */
export function Problem({ error, onRetry, full = false }: ProblemProps) {
  const title = error instanceof ApiError ? error.problem.title : "Something went wrong";
  const detail = error instanceof Error ? error.message : String(error);
  return (
    <div className={full ? "problem problem-full" : "problem"} role="alert">
      <TriangleAlert size={20} aria-hidden="true" />
      <div>
        <strong>{title}</strong>
        {detail !== title && <p>{detail}</p>}
      </div>
      {onRetry && (
        <button type="button" className="button" onClick={onRetry}>
          <RotateCw size={14} aria-hidden="true" /> Try again
        </button>
      )}
    </div>
  );
}

export function Empty({ icon, title, children }: { icon: ReactNode; title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <div className="empty-icon" aria-hidden="true">
        {icon}
      </div>
      <h2>{title}</h2>
      {children}
    </div>
  );
}
