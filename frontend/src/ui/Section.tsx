import { type ReactNode, useId } from "react";

interface SectionProps {
  readonly title: string;
  /** What it is, in one sentence. */
  readonly about?: ReactNode;
  readonly action?: ReactNode;
  readonly children: ReactNode;
}

/** A titled part of a page. */
export function Section({ title, about, action, children }: SectionProps) {
  const id = useId();
  return (
    <section className="section" aria-labelledby={id}>
      <header className="section-head">
        <div>
          <h2 id={id}>{title}</h2>
          {about && <p className="muted">{about}</p>}
        </div>
        {action}
      </header>
      {children}
    </section>
  );
}
