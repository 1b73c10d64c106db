import { useQuery } from "@tanstack/react-query";
import { Inbox, RotateCw } from "lucide-react";
import { useState } from "react";
import type { Attempt, Delivery, Webhook } from "@/api/shapes";
import * as api from "@/api/webhooks";
import { usePages } from "@/app/queries";
import { keys } from "@/app/wiring";
import { Badge } from "@/ui/Badge";
import { seconds } from "@/ui/format";
import { MoreButton } from "@/ui/MoreButton";
import { Section } from "@/ui/Section";
import { Empty, Problem, Spinner } from "@/ui/states";
import { toast, toastError } from "@/ui/toasts";
import { When } from "@/ui/When";
import { refreshWebhooks } from "./WebhookState";

const FILTERS = { "": "All", waiting: "Waiting", delivered: "Delivered", failed: "Failed" } as const;
const TONES = { waiting: "accent", delivered: "good", failed: "bad" } as const;
const LOOK_MS = 3_000;

/** Every message, with what became of each attempt. While one waits, the list looks again by itself. */
export function Deliveries({ webhook: { id } }: { webhook: Webhook }) {
  const [status, setStatus] = useState<keyof typeof FILTERS>("");
  const pages = usePages<Delivery>(keys.webhook(id, "deliveries", status), api.deliveriesPath(id, status), {
    again: (items) => items.some((delivery) => delivery.status === "waiting") && LOOK_MS,
  });
  const { items, error, isPending, refetch } = pages;
  return (
    <Section title="Deliveries" action={<StatusFilter value={status} onChange={setStatus} />}>
      {isPending && <div className="skeleton tall" role="status" aria-label="Loading" />}
      {error && !items && <Problem error={error} onRetry={() => void refetch()} />}
      {items?.length === 0 && <NoDeliveries filtered={status !== ""} />}
      <ul className="rows">
        {items?.map((delivery) => (
          <DeliveryLine key={delivery.id} webhook={id} delivery={delivery} />
        ))}
      </ul>
      <MoreButton pages={pages} label="Show older ones" />
    </Section>
  );
}

interface FilterProps {
  readonly value: keyof typeof FILTERS;
  readonly onChange: (value: keyof typeof FILTERS) => void;
}

function StatusFilter({ value, onChange }: FilterProps) {
  return (
    <fieldset className="pills" aria-label="Status">
      {Object.entries(FILTERS).map(([key, label]) => (
        <button
          key={key}
          type="button"
          className="pill"
          aria-pressed={key === value}
          onClick={() => onChange(key as keyof typeof FILTERS)}
        >
          {label}
        </button>
      ))}
    </fieldset>
  );
}

function NoDeliveries({ filtered }: { filtered: boolean }) {
  return (
    <Empty icon={<Inbox size={26} />} title={filtered ? "None of these" : "Nothing was sent yet"}>
      {!filtered && <p className="muted">Press Test, or wait until something happens to a plugin.</p>}
    </Empty>
  );
}

function DeliveryLine({ webhook, delivery }: { webhook: string; delivery: Delivery }) {
  const [open, setOpen] = useState(false);
  const { id, type, status, attempts, next_attempt_at, created_at } = delivery;
  const last = attempts.at(-1);
  return (
    <li className="delivery" data-testid={`delivery-${id}`}>
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>
          <Badge tone={TONES[status]}>{status}</Badge>
          <strong>{type}</strong>
          <span className="card-facts">
            {last && <span>{outcome(last)}</span>}
            {attempts.length > 1 && <span>{attempts.length} attempts</span>}
            {status === "waiting" && next_attempt_at && (
              <span>
                next try <When at={next_attempt_at} />
              </span>
            )}
            <When at={created_at} />
          </span>
        </summary>
        <Attempts attempts={attempts} />
        <p className="field-help">
          Message <code>{id}</code>
        </p>
        {open && <Body webhook={webhook} delivery={id} />}
        {status !== "waiting" && <RedeliverButton webhook={webhook} delivery={id} />}
      </details>
    </li>
  );
}

function outcome({ status, error }: Attempt): string {
  return status ? `status ${status}` : error || "no answer";
}

function Attempts({ attempts }: { attempts: readonly Attempt[] }) {
  if (attempts.length === 0) return <p className="muted">It has not been tried yet.</p>;
  return (
    <div className="table-scroll">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Tried</th>
            <th scope="col">Result</th>
            <th scope="col">Took</th>
            <th scope="col">Answer</th>
          </tr>
        </thead>
        <tbody>
          {attempts.map((attempt) => (
            <tr key={attempt.at}>
              <td>
                <When at={attempt.at} />
              </td>
              <td>
                {outcome(attempt)}
                {attempt.status && attempt.error ? `, ${attempt.error}` : ""}
              </td>
              <td>{seconds(attempt.duration_ms)}</td>
              <td>{attempt.answer ? <code>{attempt.answer}</code> : <span className="muted">empty</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function RedeliverButton({ webhook, delivery }: { webhook: string; delivery: string }) {
  const [busy, setBusy] = useState(false);
  const redeliver = async () => {
    setBusy(true);
    try {
      await api.redeliver(webhook, delivery);
      toast({ text: "The message is on its way again." });
    } catch (error) {
      toastError("The message was not sent again.", error);
    } finally {
      setBusy(false);
      refreshWebhooks();
    }
  };
  return (
    <button type="button" className="button small" disabled={busy} onClick={() => void redeliver()}>
      {busy ? <Spinner size={14} /> : <RotateCw size={14} aria-hidden="true" />} Send again
    </button>
  );
}

/** What was sent, indented for reading. */
function Body({ webhook, delivery }: { webhook: string; delivery: string }) {
  const { data, error, refetch } = useQuery({
    queryKey: keys.webhook(webhook, "delivery", delivery),
    queryFn: ({ signal }) => api.delivery(webhook, delivery, signal),
  });
  if (error) return <Problem error={error} onRetry={() => void refetch()} />;
  if (!data) return <div className="skeleton" role="status" aria-label="Loading" />;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
    <pre tabIndex={0} className="body-text">
      {pretty(data.body ?? "")}
    </pre>
  );
}

function pretty(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}
