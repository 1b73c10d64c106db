import { Upload } from "lucide-react";
import { useEffect, useState } from "react";

interface DropProps {
  /** What dropping here does. */
  readonly text: string;
  readonly onFiles: (files: readonly File[]) => void;
}

/** Files dragged anywhere over the window can be dropped; while they hover, the page says so. */
export function DropTarget({ text, onFiles }: DropProps) {
  const [hovering, setHovering] = useState(false);
  useEffect(() => {
    const over = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files") || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      setHovering(true);
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) setHovering(false);
    };
    const drop = (event: DragEvent) => {
      setHovering(false);
      const files = [...(event.dataTransfer?.files ?? [])];
      if (event.defaultPrevented || files.length === 0) return;
      event.preventDefault(); // else the browser would leave the page for the file
      if (!document.querySelector("dialog[open]")) onFiles(files);
    };
    window.addEventListener("dragover", over);
    window.addEventListener("dragleave", leave);
    window.addEventListener("drop", drop);
    return () => {
      window.removeEventListener("dragover", over);
      window.removeEventListener("dragleave", leave);
      window.removeEventListener("drop", drop);
    };
  }, [onFiles]);
  if (!hovering) return null;
  return (
    <div className="drop-cover" role="status">
      <div>
        <Upload size={30} aria-hidden="true" />
        <p>{text}</p>
      </div>
    </div>
  );
}
