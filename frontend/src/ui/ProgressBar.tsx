interface ProgressBarProps {
  readonly label: string;
  /** From 0 to 1; null: it goes on, nobody knows how far. */
  readonly fraction: number | null;
}

export function ProgressBar({ label, fraction }: ProgressBarProps) {
  const known = fraction !== null && { value: fraction };
  return <progress className="progress" aria-label={label} max={1} {...known} />;
}
