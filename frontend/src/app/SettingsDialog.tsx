import { Monitor, Moon, Sun } from "lucide-react";
import type { Person } from "@/api/types";
import { PluginMount, useMounted, useReadable } from "@/plugins/react";
import { Dialog } from "@/ui/Dialog";
import { chooseTheme, type ThemeChoice, themeChoice } from "@/ui/theme";
import { Overlay } from "./overlay";

const THEMES = [
  { choice: "system", label: "System", Icon: Monitor },
  { choice: "light", label: "Light", Icon: Sun },
  { choice: "dark", label: "Dark", Icon: Moon },
] as const satisfies readonly { choice: ThemeChoice; label: string; Icon: typeof Sun }[];

export function SettingsDialog({ person }: { person: Person }) {
  const chosen = useReadable(themeChoice);
  const tabs = useMounted("settings-tab");
  return (
    <Dialog title="Settings" onClose={() => Overlay.close("settings")}>
      <fieldset className="segmented-field">
        <legend>Appearance</legend>
        <div className="segmented">
          {THEMES.map(({ choice, label, Icon }) => (
            <label key={choice}>
              <input
                type="radio"
                name="theme"
                checked={chosen === choice}
                onChange={() => chooseTheme(choice)}
              />
              <span>
                <Icon size={15} aria-hidden="true" /> {label}
              </span>
            </label>
          ))}
        </div>
      </fieldset>
      {tabs.length > 0 && <h3 className="section-title">Plugins</h3>}
      <PluginMount mountPoint="settings-tab" className="settings-plugins" />
      <h3 className="section-title">Keyboard</h3>
      <dl className="shortcuts">
        <Shortcut keys={["Ctrl", "K"]} text="Commands and chats" />
        <Shortcut keys={["Enter"]} text="Send" />
        <Shortcut keys={["Shift", "Enter"]} text="New line" />
        <Shortcut keys={["Esc"]} text="Stop the answer" />
      </dl>
      <p className="hint">
        Signed in as {person.username}
        {person.is_operator && (
          <>
            {" · "}
            <a href="/admin/">Administration</a>
          </>
        )}
        {" · "}
        <a href="/api/docs">API documentation</a>
      </p>
    </Dialog>
  );
}

function Shortcut({ keys, text }: { keys: readonly string[]; text: string }) {
  return (
    <div>
      <dt>{text}</dt>
      <dd>
        {keys.map((key) => (
          <kbd key={key}>{key}</kbd>
        ))}
      </dd>
    </div>
  );
}
