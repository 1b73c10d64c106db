import { useQuery } from "@tanstack/react-query";
import { Plus, Webhook as WebhookIcon } from "lucide-react";
import { useState } from "react";
import { Link } from "wouter";
import type { Webhook } from "@/api/shapes";
import * as api from "@/api/webhooks";
import { MenuButton } from "@/app/Shell";
import { keys } from "@/app/wiring";
import { Empty, Problem } from "@/ui/states";
import { SecretDialog } from "./SecretDialog";
import { TestButton } from "./TestButton";
import { WebhookForm } from "./WebhookForm";
import { EnabledSwitch, WebhookFacts } from "./WebhookState";

/** Who is told over HTTP what happens to plugins. */
export function WebhooksPage() {
  const [adding, setAdding] = useState(false);
  const [made, setMade] = useState<api.NewWebhook>();
  const { data, error, isPending, refetch } = useQuery({
    queryKey: keys.webhooks,
    queryFn: ({ signal }) => api.webhooks(signal),
  });
  return (
    <main className="page" aria-label="Webhooks">
      <header className="page-head">
        <MenuButton />
        <div>
          <h1>Webhooks</h1>
          <p className="muted">Tell other programs what happens to plugins.</p>
        </div>
        <button
          type="button"
          className="button primary"
          onClick={() => setAdding(true)}
          data-testid="webhook-add"
        >
          <Plus size={15} aria-hidden="true" /> Add webhook
        </button>
      </header>
      {isPending && <div className="skeleton tall" role="status" aria-label="Loading" />}
      {error && !data && <Problem error={error} onRetry={() => void refetch()} />}
      {data?.length === 0 && <NoWebhooks />}
      <ul className="cards">
        {data?.map((webhook) => (
          <WebhookCard key={webhook.id} webhook={webhook} />
        ))}
      </ul>
      {adding && (
        <WebhookForm
          onClose={() => setAdding(false)}
          onSaved={(saved) => {
            setAdding(false);
            if ("secret" in saved) setMade(saved as api.NewWebhook);
          }}
        />
      )}
      {made && <SecretDialog name={made.name} secret={made.secret} onClose={() => setMade(undefined)} />}
    </main>
  );
}

function NoWebhooks() {
  return (
    <Empty icon={<WebhookIcon size={26} />} title="No webhooks yet">
      <p className="muted empty-text">
        A webhook is an address of yours that the studio calls when a plugin is loaded, swapped, crashes or
        recovers. Each call is signed by the Standard Webhooks specification, and repeated with growing pauses
        until your program has answered.
      </p>
    </Empty>
  );
}

function WebhookCard({ webhook }: { webhook: Webhook }) {
  return (
    <li className="card" data-testid={`webhook-${webhook.name}`}>
      <div className="card-head">
        <h3>
          <Link href={`/webhooks/${webhook.id}`} className="plugin-link">
            {webhook.name}
          </Link>
        </h3>
        <TestButton webhook={webhook} />
        <EnabledSwitch webhook={webhook} />
      </div>
      <WebhookFacts webhook={webhook} />
    </li>
  );
}
