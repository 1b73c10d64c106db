import { Dialog } from "@/ui/Dialog";

interface CascadeDialogProps {
  readonly name: string;
  readonly dependents: readonly string[];
  readonly onConfirm: () => void;
  readonly onClose: () => void;
}

/** Others need the plugin: unload them as well, or leave it. */
export function CascadeDialog({ name, dependents, onConfirm, onClose }: CascadeDialogProps) {
  return (
    <Dialog title={`Other plugins need ${name}`} onClose={onClose}>
      <p>
        {dependents.length > 0
          ? "These loaded plugins depend on it and would stop working:"
          : "Loaded plugins depend on it and would stop working."}
      </p>
      <ul className="cascade-list">
        {dependents.map((id) => (
          <li key={id}>
            <code>{id}</code>
          </li>
        ))}
      </ul>
      <div className="dialog-actions">
        <button type="button" className="button" onClick={onClose}>
          Keep them all
        </button>
        <button type="button" className="button danger" onClick={onConfirm} data-testid="unload-cascade">
          Unload all of them
        </button>
      </div>
    </Dialog>
  );
}
