import { useState } from "react";
import type { Webhook } from "@/api/shapes";
import * as api from "@/api/webhooks";
import { keys, queryClient } from "@/app/wiring";
import { Badge } from "@/ui/Badge";
import { toast, toastError } from "@/ui/toasts";
import { When } from "@/ui/When";

export function refreshWebhooks(): void {
  void queryClient.invalidateQueries({ queryKey: keys.webhooks });
}

/** Its page may still be there for a moment, and must not ask for what is gone. */
export function forgetWebhook(id: string): void {
  void queryClient.invalidateQueries({
    queryKey: keys.webhooks,
    predicate: ({ queryKey }) => queryKey[1] !== id,
  });
}

export function EnabledSwitch({ webhook: { id, name, enabled } }: { webhook: Webhook }) {
  // What was just chosen, until the server has said so.
  const [wanted, setWanted] = useState<boolean>();
  const toggle = async (next: boolean) => {
    setWanted(next);
    try {
      await api.changeWebhook(id, { enabled: next });
      toast({ text: `${name} is ${next ? "enabled" : "disabled"}.` });
      await queryClient.invalidateQueries({ queryKey: keys.webhooks });
    } catch (error) {
      toastError(`${name} is ${enabled ? "enabled" : "disabled"} as before.`, error);
    } finally {
      setWanted(undefined);
    }
  };
  return (
    <input
      type="checkbox"
      role="switch"
      className="switch"
      aria-label={`${name} is enabled`}
      title={enabled ? "Enabled" : "Disabled"}
      checked={wanted ?? enabled}
      aria-checked={wanted ?? enabled}
      disabled={wanted !== undefined}
      onChange={(event) => void toggle(event.target.checked)}
    />
  );
}

/** Where it goes, what it is told, and how it fares. */
export function WebhookFacts({ webhook }: { webhook: Webhook }) {
  const { url, enabled, disabled_reason, disabled_at, failures, last_success_at } = webhook;
  return (
    <>
      <p className="webhook-url">
        <code>{url}</code>
      </p>
      <p className="card-facts">
        {!enabled && <Badge tone={disabled_reason ? "bad" : "plain"}>disabled</Badge>}
        <span>{subjects(webhook)}</span>
        {last_success_at ? (
          <span>
            last delivered <When at={last_success_at} />
          </span>
        ) : (
          <span>nothing delivered yet</span>
        )}
        {failures > 0 && <span className="bad">{failures} failed attempts since</span>}
      </p>
      {!enabled && disabled_reason && (
        <p className="card-error">
          {disabled_reason} {disabled_at && <When at={disabled_at} />}
        </p>
      )}
    </>
  );
}

function subjects({ events, plugins }: Webhook): string {
  const what =
    events.length === 0 ? "all events" : events.length === 1 ? "1 event" : `${events.length} events`;
  if (plugins.length === 0) return `${what} of all plugins`;
  return `${what} of ${plugins.join(", ")}`;
}
