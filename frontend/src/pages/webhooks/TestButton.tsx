import { Send } from "lucide-react";
import { useState } from "react";
import type { Webhook } from "@/api/shapes";
import * as api from "@/api/webhooks";
import { seconds } from "@/ui/format";
import { Spinner } from "@/ui/states";
import { toast, toastError } from "@/ui/toasts";
import { refreshWebhooks } from "./WebhookState";

/** Sends a message at once, and says what the receiver made of it. */
export function TestButton({ webhook: { id, name } }: { webhook: Webhook }) {
  const [busy, setBusy] = useState(false);
  const test = async () => {
    setBusy(true);
    try {
      const { status, attempts } = await api.testWebhook(id);
      const last = attempts.at(-1);
      const answer = [
        last?.status && `status ${last.status}`,
        last?.duration_ms && seconds(last.duration_ms),
      ];
      const facts = answer.filter(Boolean).join(", ");
      if (status === "delivered") toast({ text: `${name} took the test message (${facts}).`, tone: "good" });
      else toast({ text: `${name} did not take the test message: ${last?.error || facts}`, tone: "bad" });
    } catch (error) {
      toastError(`${name} was not tested.`, error);
    } finally {
      setBusy(false);
      refreshWebhooks();
    }
  };
  return (
    <button
      type="button"
      className="button small"
      disabled={busy}
      onClick={() => void test()}
      aria-label={`Send a test message to ${name}`}
    >
      {busy ? <Spinner size={14} /> : <Send size={14} aria-hidden="true" />} Test
    </button>
  );
}
