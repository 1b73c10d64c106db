import { useQuery } from "@tanstack/react-query";
import { ArrowLeft, EllipsisVertical, Pencil } from "lucide-react";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import type { Webhook } from "@/api/shapes";
import * as api from "@/api/webhooks";
import { MenuButton } from "@/app/Shell";
import { keys } from "@/app/wiring";
import { Dialog } from "@/ui/Dialog";
import { Menu } from "@/ui/Menu";
import { Problem } from "@/ui/states";
import { toast, toastError } from "@/ui/toasts";
import { Deliveries } from "./Deliveries";
import { SecretDialog } from "./SecretDialog";
import { TestButton } from "./TestButton";
import { WebhookForm } from "./WebhookForm";
import { EnabledSwitch, forgetWebhook, WebhookFacts } from "./WebhookState";

/** One webhook, and every message that was sent to it. */
export function WebhookPage({ id }: { id: string }) {
  const { data, error, isPending, refetch } = useQuery({
    queryKey: keys.webhook(id),
    queryFn: ({ signal }) => api.webhook(id, signal),
  });
  return (
    <main className="page" aria-label={data?.name ?? "Webhook"}>
      <p className="crumb">
        <MenuButton />
        <Link href="/webhooks">
          <ArrowLeft size={15} aria-hidden="true" /> Webhooks
        </Link>
      </p>
      {isPending && <div className="skeleton tall" role="status" aria-label="Loading" />}
      {error && !data && <Problem error={error} onRetry={() => void refetch()} />}
      {data && <Body webhook={data} />}
    </main>
  );
}

type Asking = "edit" | "rotate" | "delete";

function Body({ webhook }: { webhook: Webhook }) {
  const [, go] = useLocation();
  const [asking, setAsking] = useState<Asking>();
  const [secret, setSecret] = useState<string>();
  const { id, name } = webhook;
  const close = () => setAsking(undefined);
  const rotate = async () => {
    close();
    try {
      setSecret(await api.rotateSecret(id));
    } catch (error) {
      toastError(`The secret of ${name} is the same as before.`, error);
    }
  };
  const remove = async () => {
    close();
    try {
      await api.deleteWebhook(id);
      go("/webhooks");
      forgetWebhook(id);
      toast({ text: `${name} is deleted.` });
    } catch (error) {
      toastError(`${name} was not deleted.`, error);
    }
  };
  return (
    <>
      <header className="webhook-head">
        <div className="card-head">
          <h1>{name}</h1>
          <TestButton webhook={webhook} />
          <button type="button" className="button small" onClick={() => setAsking("edit")}>
            <Pencil size={14} aria-hidden="true" /> Edit
          </button>
          <EnabledSwitch webhook={webhook} />
          <Menu
            label={`More for ${name}`}
            icon={<EllipsisVertical size={17} />}
            items={[
              { label: "New signing secret…", run: () => setAsking("rotate") },
              { label: "Delete…", run: () => setAsking("delete"), danger: true },
            ]}
          />
        </div>
        <WebhookFacts webhook={webhook} />
      </header>
      <Deliveries webhook={webhook} />
      {asking === "edit" && <WebhookForm webhook={webhook} onSaved={close} onClose={close} />}
      {asking === "rotate" && (
        <Sure title={`A new secret for ${name}?`} verb="Make a new one" onConfirm={rotate} onClose={close}>
          Messages are signed with both secrets for 24 hours, and only with the new one from then on.
        </Sure>
      )}
      {asking === "delete" && (
        <Sure title={`Delete ${name}?`} verb="Delete" onConfirm={remove} onClose={close}>
          Its messages stop, and its delivery log goes with it. To pause it, disable it instead.
        </Sure>
      )}
      {secret && <SecretDialog name={name} secret={secret} onClose={() => setSecret(undefined)} />}
    </>
  );
}

interface SureProps {
  readonly title: string;
  readonly children: string;
  readonly verb: string;
  readonly onConfirm: () => Promise<void>;
  readonly onClose: () => void;
}

function Sure({ title, children, verb, onConfirm, onClose }: SureProps) {
  return (
    <Dialog title={title} onClose={onClose}>
      <p>{children}</p>
      <div className="dialog-actions">
        <button type="button" className="button" onClick={onClose}>
          Cancel
        </button>
        <button type="button" className="button danger" onClick={() => void onConfirm()} data-testid="sure">
          {verb}
        </button>
      </div>
    </Dialog>
  );
}
