import "katex/dist/katex.min.css";
import rehypeKatex from "rehype-katex";
import remarkMath from "remark-math";
import type { PluggableList } from "unified";

/** Understand what stands between double dollars, and set it. A formula with a mistake is shown as written. */
export const REMARK_MATHS: PluggableList = [[remarkMath, { singleDollarTextMath: false }]];
export const REHYPE_MATHS: PluggableList = [[rehypeKatex, { strict: "ignore", errorColor: "currentColor" }]];
