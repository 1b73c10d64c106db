import { ArrowRight, Plug } from "lucide-react";
import { Link } from "wouter";
import type { Model } from "@/api/types";
import { Logo } from "@/ui/Logo";
import { Empty } from "@/ui/states";

const IDEAS = [
  { title: "Work something out", text: "What is 17.5% of 2,480, and how much is left?" },
  { title: "Explain", text: "Explain what a hot swap is to someone new to programming." },
  { title: "Draft", text: "Draft a short, friendly note that moves our meeting to Thursday." },
  { title: "Code", text: "Write a Python function that groups words by their first letter." },
] as const;

interface WelcomeProps {
  readonly model: Model | undefined;
  readonly loading: boolean;
  readonly onPick: (text: string) => void;
}

/** A conversation with nothing in it yet says what to do. */
export function Welcome({ model, loading, onPick }: WelcomeProps) {
  if (!model && !loading) return <NoModel />;
  return (
    <div className="welcome">
      <Logo size={52} />
      <h1>What can I help with?</h1>
      <p className="muted">Write a message below, or start with one of these.</p>
      <div className="ideas">
        {IDEAS.map(({ title, text }) => (
          <button key={title} type="button" className="idea" disabled={!model} onClick={() => onPick(text)}>
            <strong>{title}</strong>
            <span>{text}</span>
          </button>
        ))}
      </div>
    </div>
  );
}

function NoModel() {
  return (
    <div className="welcome">
      <Empty icon={<Plug size={26} />} title="No model is loaded yet">
        <p className="muted">Models come from provider plugins. Load one, and it appears here at once.</p>
        <Link href="/plugins" className="button primary">
          Open plugins <ArrowRight size={15} aria-hidden="true" />
        </Link>
      </Empty>
    </div>
  );
}
