import { ShieldCheck } from "lucide-react";
import { Dialog } from "@/ui/Dialog";

interface GrantDialogProps {
  readonly name: string;
  readonly permissions: readonly string[];
  readonly onConfirm: (permissions: readonly string[]) => void;
  readonly onClose: () => void;
}

const WORDS: Record<string, string> = {
  network: "connect to",
  files: "read and write files in",
  env: "read the environment variable",
  host: "use the studio's",
  subprocess: "start other programs",
};

/** A plugin asks for more than it was granted: an operator decides. */
export function GrantDialog({ name, permissions, onConfirm, onClose }: GrantDialogProps) {
  return (
    <Dialog title={`${name} asks for permissions`} onClose={onClose}>
      <p>Grant these only if you trust the plugin with them:</p>
      <ul className="grant-list">
        {permissions.map((permission) => (
          <li key={permission}>
            <ShieldCheck size={17} aria-hidden="true" />
            <span>
              {wordsOf(permission)} <code>{permission}</code>
            </span>
          </li>
        ))}
      </ul>
      <div className="dialog-actions">
        <button type="button" className="button" onClick={onClose}>
          Not now
        </button>
        <button
          type="button"
          className="button primary"
          onClick={() => onConfirm(permissions)}
          data-testid="grant-and-load"
        >
          Grant and load
        </button>
      </div>
    </Dialog>
  );
}

function wordsOf(permission: string): string {
  const [kind = "", ...value] = permission.split(":");
  const words = WORDS[kind];
  return words ? `${words} ${value.join(":")}`.trim() : permission;
}
