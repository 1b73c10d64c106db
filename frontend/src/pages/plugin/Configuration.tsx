import { Settings2 } from "lucide-react";
import { useState } from "react";
import type { Plugin } from "@/api/types";
import { Section } from "@/ui/Section";
import { Empty } from "@/ui/states";
import { ConfigForm, isConfigurable } from "../ConfigForm";
import { Revisions } from "./Revisions";

/** The configuration, and every one there was. */
export function Configuration({ plugin }: { plugin: Plugin }) {
  // The form starts anew from what is stored whenever that changes under it, and when its edits are thrown away.
  const [round, setRound] = useState(0);
  const stored = JSON.stringify(plugin.config);
  return (
    <>
      {isConfigurable(plugin) ? (
        <Section title="Now">
          <div className="panel">
            <ConfigForm
              key={`${round} ${stored}`}
              plugin={plugin}
              closeLabel="Discard changes"
              onClose={() => setRound(round + 1)}
            />
          </div>
        </Section>
      ) : (
        <Empty icon={<Settings2 size={26} />} title="Nothing to configure">
          <p className="muted">{plugin.name} has no settings.</p>
        </Empty>
      )}
      <Revisions plugin={plugin} />
    </>
  );
}
