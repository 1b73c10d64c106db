/** Which page an address shows. */
import { ShieldX } from "lucide-react";
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Person } from "@/api/types";
import { ChatPage } from "@/chat/ChatPage";
import { PluginsPage } from "@/pages/PluginsPage";
import { PluginPage } from "@/pages/plugin/PluginPage";
import { SystemPage } from "@/pages/SystemPage";
import { WebhookPage } from "@/pages/webhooks/WebhookPage";
import { WebhooksPage } from "@/pages/webhooks/WebhooksPage";
import { Empty } from "@/ui/states";
import { MenuButton } from "./Shell";

export function pageAt(path: string, person: Person): ReactNode {
  const [first = "", second, third = "", ...rest] = path.split("/").filter(Boolean);
  if (rest.length > 0) return <Lost />;
  if (first === "" || (first === "c" && second)) return <ChatPage id={second} />;
  if (first === "plugins") {
    if (!second) return <PluginsPage person={person} />;
    return <PluginPage id={second} section={third} person={person} />;
  }
  const managing = managementPage(first, second);
  if (!managing) return <Lost />;
  return person.is_operator ? managing : <ForOperators />;
}

function managementPage(first: string, second: string | undefined): ReactNode {
  if (first === "webhooks") return second ? <WebhookPage key={second} id={second} /> : <WebhooksPage />;
  return first === "system" && !second ? <SystemPage /> : null;
}

function ForOperators() {
  return (
    <main className="page" aria-label="For operators">
      <p className="crumb">
        <MenuButton />
      </p>
      <Empty icon={<ShieldX size={26} />} title="This page is for operators">
        <p className="muted">Ask one of them, or sign in as one.</p>
      </Empty>
    </main>
  );
}

function Lost() {
  return (
    <main className="page">
      <h1>There is nothing here</h1>
      <p>
        The address may be old. <Link href="/">Go to the chat</Link>
      </p>
    </main>
  );
}
