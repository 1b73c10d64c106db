import { Upload } from "lucide-react";
import { useEffect, useState } from "react";

/** A file dragged anywhere over the window can be dropped; while it hovers, the page says so. */
export function DropTarget({ onFile }: { onFile: (file: File) => void }) {
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
      const file = event.dataTransfer?.files[0];
      if (event.defaultPrevented || !file) return;
      event.preventDefault(); // else the browser would leave the page for the file
      if (!document.querySelector("dialog[open]")) onFile(file);
    };
    window.addEventListener("dragover", over);
    window.addEventListener("dragleave", leave);
    window.addEventListener("drop", drop);
    return () => {
      window.removeEventListener("dragover", over);
      window.removeEventListener("dragleave", leave);
      window.removeEventListener("drop", drop);
    };
  }, [onFile]);
  if (!hovering) return null;
  return (
    <div className="drop-cover" role="status">
      <div>
        <Upload size={30} aria-hidden="true" />
        <p>Drop the package to install it</p>
      </div>
    </div>
  );
}
