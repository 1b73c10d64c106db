import { ChevronLeft, ChevronRight } from "lucide-react";
import { useContext } from "react";
import { toastError } from "@/ui/toasts";
import { ChatContext } from "./context";

interface BranchProps {
  readonly placeId: string;
  readonly siblings: readonly string[];
  readonly what: "question" | "answer";
}

/** Other wordings of a question, other answers to it: which one is shown, and the way to the others. */
export function BranchSwitch({ placeId, siblings, what }: BranchProps) {
  const around = useContext(ChatContext);
  const at = siblings.indexOf(placeId);
  if (siblings.length < 2 || at < 0) return null;
  const go = (step: number) => {
    const next = siblings[at + step];
    if (!next) return;
    around?.session.show(next).catch((error: unknown) => toastError("The other one was not shown.", error));
  };
  return (
    <span className="branch-switch" data-testid="branch-switch">
      <button
        type="button"
        className="icon-button"
        aria-label={`Previous ${what}`}
        title={`Previous ${what}`}
        disabled={at === 0 || around?.busy}
        onClick={() => go(-1)}
      >
        <ChevronLeft size={15} />
      </button>
      <span>
        {at + 1} / {siblings.length}
      </span>
      <button
        type="button"
        className="icon-button"
        aria-label={`Next ${what}`}
        title={`Next ${what}`}
        disabled={at === siblings.length - 1 || around?.busy}
        onClick={() => go(1)}
      >
        <ChevronRight size={15} />
      </button>
    </span>
  );
}
