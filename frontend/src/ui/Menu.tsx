import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";

export interface MenuItem {
  readonly label: string;
  readonly icon?: ReactNode;
  /** Said when one points at it; two may have the same label. */
  readonly hint?: string;
  readonly run: () => void;
  readonly danger?: boolean;
}

interface MenuProps {
  readonly label: string;
  readonly icon: ReactNode;
  readonly items: readonly MenuItem[];
  readonly className?: string;
}

/** A button with a small menu under it. Arrow keys move, Escape and a click elsewhere close. */
export function Menu({ label, icon, items, className = "" }: MenuProps) {
  const [place, setPlace] = useState<{ top: number; left: number }>();
  const button = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLDivElement>(null);
  const id = useId();
  const close = () => setPlace(undefined);
  useEffect(() => {
    if (!place) return;
    menu.current?.querySelector("button")?.focus();
    const elsewhere = (event: PointerEvent) => {
      const target = event.target as Node;
      if (!menu.current?.contains(target) && !button.current?.contains(target)) setPlace(undefined);
    };
    window.addEventListener("pointerdown", elsewhere);
    return () => window.removeEventListener("pointerdown", elsewhere);
  }, [place]);
  const toggle = () => setPlace(place ? undefined : placeUnder(button.current, items.length));
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape" || event.key === "Tab") {
      event.stopPropagation();
      close();
      button.current?.focus();
    }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") move(event, menu.current);
  };
  return (
    <>
      <button
        ref={button}
        type="button"
        className={`icon-button ${className}`}
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={Boolean(place)}
        aria-controls={id}
        onClick={toggle}
      >
        {icon}
      </button>
      {place && (
        <div
          ref={menu}
          id={id}
          className="menu"
          role="menu"
          tabIndex={-1}
          style={place}
          onKeyDown={onKeyDown}
        >
          {items.map((item) => (
            <button
              key={item.hint ?? item.label}
              type="button"
              role="menuitem"
              title={item.hint}
              className={item.danger ? "danger" : undefined}
              onClick={() => {
                close();
                item.run();
              }}
            >
              {item.icon}
              {item.label}
            </button>
          ))}
        </div>
      )}
    </>
  );
}

const WIDTH = 210;
const ROW = 36;
const MOST_HEIGHT = 520;

/** Fixed to the window, so that a scrolling list does not clip it. */
function placeUnder(button: HTMLElement | null, rows: number): { top: number; left: number } {
  const box = button?.getBoundingClientRect() ?? new DOMRect();
  const height = Math.min(rows * ROW + 12, MOST_HEIGHT, window.innerHeight - 16);
  const below = box.bottom + 4 + height < window.innerHeight;
  const left = Math.max(8, Math.min(box.left, window.innerWidth - WIDTH - 8));
  return { top: below ? box.bottom + 4 : Math.max(8, box.top - height - 4), left };
}

function move(event: KeyboardEvent, menu: HTMLElement | null): void {
  event.preventDefault();
  const buttons = [...(menu?.querySelectorAll("button") ?? [])];
  const step = event.key === "ArrowDown" ? 1 : -1;
  const next = buttons.indexOf(document.activeElement as HTMLButtonElement) + step;
  buttons.at(next % buttons.length)?.focus();
}
