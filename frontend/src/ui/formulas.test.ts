import { expect, test } from "vitest";
import { mayHoldFormulas, withDollars } from "./formulas";

test("formulas as models write them all come to stand between double dollars", () => {
  expect(withDollars(String.raw`so \(e^{i\pi}\) and $n^2$, or $$x$$ within`)).toBe(
    String.raw`so $$e^{i\pi}$$ and $$n^2$$, or $$\displaystyle x$$ within`,
  );
  expect(withDollars(String.raw`\(a\)\(b\), $c$-$d$`)).toBe("$$a$$$$b$$, $$c$$-$$d$$");
});

test("one that stands alone gets lines of its own, as deep as it stood", () => {
  expect(withDollars(String.raw`$$ \sum i $$`)).toBe("$$\n\\sum i\n$$");
  expect(withDollars("- item\n  \\[\n    a\n\n    = b\n  \\]\n- next")).toBe(
    "- item\n  $$\n  a\n  = b\n  $$\n- next",
  );
});

test("prices, escaped dollars and code stay what they are", () => {
  for (const text of [
    "It costs $5 and then $10 more",
    "between US$5 and US$10",
    "from $5-$10",
    String.raw`\$a\$ and \\(b)`,
    "`$x$` and ``\\(y\\)``",
    "```sh\necho $HOME $PATH$\n\\[x\\]\n```",
    "~~~\n$x$\n",
  ]) {
    expect(withDollars(text)).toBe(text);
  }
});

test("what sets formulas is only fetched for a text that may have some", () => {
  expect(["plain words", "a [link](x)", "f(x)"].some(mayHoldFormulas)).toBe(false);
  expect(["$x$", String.raw`\(x\)`, String.raw`\[x\]`].every(mayHoldFormulas)).toBe(true);
});
