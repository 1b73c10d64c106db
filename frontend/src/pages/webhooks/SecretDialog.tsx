import { CopyButton } from "@/ui/CopyButton";
import { Dialog } from "@/ui/Dialog";

interface SecretDialogProps {
  readonly name: string;
  readonly secret: string;
  readonly onClose: () => void;
}

/** The only time that the secret is seen. */
export function SecretDialog({ name, secret, onClose }: SecretDialogProps) {
  return (
    <Dialog title={`The signing secret of ${name}`} onClose={onClose}>
      <p>
        Your program checks with it that a message is the studio's. Copy it now:{" "}
        <strong>it is not shown again.</strong>
      </p>
      <p className="secret-once">
        <code data-testid="webhook-secret">{secret}</code>
        <CopyButton text={() => secret} label="Copy the secret" />
      </p>
      <p className="field-help">
        Any Standard Webhooks library takes it as it is; the headers are <code>webhook-id</code>,{" "}
        <code>webhook-timestamp</code> and <code>webhook-signature</code>.
      </p>
      <div className="dialog-actions">
        <button type="button" className="button primary" onClick={onClose}>
          I have copied it
        </button>
      </div>
    </Dialog>
  );
}
