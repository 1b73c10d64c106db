import { render, screen, waitFor } from "@testing-library/react";
import { expect, test } from "vitest";
import { Markdown } from "./Markdown";

test("formulas are set, with what was written in them for screen readers", async () => {
  const { container } = render(<Markdown text={"The sum is $n^2$.\n\n\\[ \\frac{1}{2} \\]"} />);
  await waitFor(() => expect(container.querySelectorAll("math")).toHaveLength(2));
  expect(container.querySelector(".katex-display annotation")?.textContent).toBe("\\frac{1}{2}");
});

test("a formula that cannot be understood reads as it was written", async () => {
  const { container } = render(<Markdown text={"It is $\\frac{1$ and $x$"} />);
  await waitFor(() => expect(container.querySelector("math")).not.toBeNull());
  expect(screen.getByText("\\frac{1").tagName).toBe("SPAN");
});

test("each block runs the way its own text does", () => {
  const { container } = render(
    <Markdown text={"# עברית\n\nمرحبا\n\n- one\n\n> said\n\n| a |\n|---|\n| b |"} />,
  );
  for (const tag of ["h1", "p", "ul", "blockquote", "table"]) {
    expect(container.querySelector(tag)?.getAttribute("dir")).toBe("auto");
  }
});
