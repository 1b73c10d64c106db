import { createElement as h, useEffect, useId, useRef, useState } from "react";
import { createPortal } from "react-dom";
import { blanksOf, filled } from "./blanks.js";

/** The browser's own modal dialog: it keeps the focus, closes on Escape and gives the focus back. */
function Modal({ title, onClose, onSubmit, submit, children, problem }) {
  const dialog = useRef(null);
  const titleId = useId();
  useEffect(() => {
    const shown = dialog.current;
    shown.showModal();
    return () => shown.close();
  }, []);
  const send = (event) => {
    event.preventDefault();
    event.stopPropagation(); // in React it would go on to the message box
    onSubmit();
  };
  // In the body: where the button stands there is a form already, and forms do not go into forms.
  return createPortal(h(
    "dialog",
    {
      ref: dialog,
      className: "prompts-dialog",
      "aria-labelledby": titleId,
      onCancel: (event) => {
        event.preventDefault();
        onClose();
      },
      onKeyDown: (event) => {
        event.stopPropagation();
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send(event);
      },
    },
    h(
      "form",
      { onSubmit: send },
      h("h2", { id: titleId }, title),
      children,
      problem && h("p", { className: "prompts-problem", role: "alert" }, problem),
      h(
        "footer",
        null,
        h("button", { type: "button", onClick: onClose }, "Cancel"),
        h("button", { type: "submit", className: "prompts-main" }, submit),
      ),
    ),
  ), document.body);
}

/** Writes a new prompt, or changes one. */
export function EditDialog({ prompt, store, onClose }) {
  const [title, setTitle] = useState(prompt.title ?? "");
  const [text, setText] = useState(prompt.text ?? "");
  const [problem, setProblem] = useState("");
  const blanks = blanksOf(text);
  const save = async () => {
    if (!title.trim() || !text.trim()) return setProblem("A prompt has a title and a text.");
    try {
      await store.save([{ ...(prompt.id && !prompt.shared && { id: prompt.id }), title, text }]);
      onClose();
    } catch (error) {
      setProblem(error.message);
    }
  };
  return h(
    Modal,
    { title: prompt.id ? "Edit the prompt" : "New prompt", submit: "Save", onClose, onSubmit: save, problem },
    h("label", null, "Title", h("input", { value: title, maxLength: 120, autoFocus: true, onChange: (event) => setTitle(event.target.value) })),
    h("label", null, "Text", h("textarea", { value: text, rows: 9, maxLength: 20_000, onChange: (event) => setText(event.target.value) })),
    h(
      "p",
      { className: "prompts-hint" },
      blanks.length > 0
        ? `To be filled in each time: ${blanks.map(({ name }) => name).join(", ")}.`
        : "Write {{name}} for a blank that is filled in each time, {{name|text}} to have something in it.",
    ),
  );
}

/** Asks for what goes into the blanks. */
export function FillDialog({ prompt, onInsert, onClose }) {
  const blanks = blanksOf(prompt.text);
  const [values, setValues] = useState(() => Object.fromEntries(blanks.map(({ name, initial }) => [name, initial])));
  return h(
    Modal,
    { title: prompt.title, submit: "Insert", onClose, onSubmit: () => onInsert(filled(prompt.text, values)) },
    blanks.map(({ name }, index) =>
      h(
        "label",
        { key: name },
        name,
        h("textarea", {
          value: values[name],
          rows: Math.min(8, Math.max(1, values[name].split("\n").length)),
          autoFocus: index === 0,
          onChange: (event) => setValues({ ...values, [name]: event.target.value }),
        }),
      ),
    ),
    h("p", { className: "prompts-preview" }, filled(prompt.text, values)),
  );
}
