import { ChevronDown, Cpu } from "lucide-react";
import { Link } from "wouter";
import type { Model } from "@/api/types";
import { chooseModel } from "./choosing";

interface ModelPickerProps {
  readonly models: readonly Model[];
  readonly model: Model | undefined;
  readonly loading: boolean;
}

/** The browser's own select: it has its keyboard, its phone wheel and its screen reader words for free. */
export function ModelPicker({ models, model, loading }: ModelPickerProps) {
  if (!model) {
    const text = loading ? "Loading models…" : "No model loaded";
    return (
      <Link href="/plugins" className="model-picker model-none" data-testid="model-none">
        <Cpu size={16} aria-hidden="true" /> {text}
      </Link>
    );
  }
  return (
    <span className="model-picker">
      <Cpu size={16} aria-hidden="true" />
      <select
        aria-label="Model"
        title={model.description ?? model.name}
        value={model.id}
        onChange={(event) => chooseModel(event.target.value)}
        data-testid="model-picker"
      >
        {[...byPlugin(models)].map(([plugin, offered]) => (
          <optgroup key={plugin} label={plugin}>
            {offered.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </optgroup>
        ))}
      </select>
      <ChevronDown size={15} aria-hidden="true" className="chevron" />
    </span>
  );
}

function byPlugin(models: readonly Model[]): Map<string, Model[]> {
  const groups = new Map<string, Model[]>();
  for (const model of models) groups.set(model.plugin_id, [...(groups.get(model.plugin_id) ?? []), model]);
  return groups;
}
