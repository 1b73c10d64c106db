import {
  type ComponentProps,
  createElement,
  isValidElement,
  memo,
  type ReactNode,
  useDeferredValue,
  useMemo,
} from "react";
import ReactMarkdown, { type Components, type ExtraProps } from "react-markdown";
import rehypeHighlight from "rehype-highlight";
import remarkGfm from "remark-gfm";
import type { PluggableList } from "unified";
import { CopyButton } from "./CopyButton";
import { mayHoldFormulas, withDollars } from "./formulas";
import { useMaths } from "./useMaths";

type Block = "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "ul" | "ol" | "blockquote";

/** A block that runs the way its own text does: answers mix languages. */
function directed(Tag: Block) {
  return ({ node: _, ...props }: ComponentProps<Block> & ExtraProps) =>
    createElement(Tag, { dir: "auto", ...props });
}

const BLOCKS: readonly Block[] = ["p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "blockquote"];

const COMPONENTS: Components = {
  ...Object.fromEntries(BLOCKS.map((tag) => [tag, directed(tag)])),
  a: ({ href, children }) => (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  ),
  // An image's address can carry what was said here to a stranger's server, so it is a link until clicked.
  img: ({ src, alt }) => (
    <a href={String(src ?? "")} target="_blank" rel="noopener noreferrer nofollow">
      Image: {alt || String(src ?? "")}
    </a>
  ),
  pre: ({ children }) => <CodeBlock>{children}</CodeBlock>,
  table: ({ children }) => (
    <div className="table-scroll">
      <table dir="auto">{children}</table>
    </div>
  ),
};

const REMARK = [remarkGfm];
const REHYPE = [rehypeHighlight];

/** Markdown as React elements: no HTML of a model's answer ever reaches the document. */
export function Markdown({ text }: { text: string }) {
  return <Rendered text={useDeferredValue(text)} />;
}

const Rendered = memo(function Rendered({ text }: { text: string }) {
  const wanted = mayHoldFormulas(text);
  const maths = useMaths(wanted);
  const [remark, rehype] = useMemo(() => pluginsWith(wanted ? maths : undefined), [wanted, maths]);
  return (
    <div className="markdown">
      <ReactMarkdown remarkPlugins={remark} rehypePlugins={rehype} components={COMPONENTS}>
        {wanted && maths ? withDollars(text) : text}
      </ReactMarkdown>
    </div>
  );
});

function pluginsWith(maths: ReturnType<typeof useMaths>): [PluggableList, PluggableList] {
  if (!maths) return [REMARK, REHYPE];
  return [
    [...REMARK, ...maths.REMARK_MATHS],
    [...maths.REHYPE_MATHS, ...REHYPE],
  ];
}

function CodeBlock({ children }: { children?: ReactNode }) {
  const className = isValidElement<{ className?: string }>(children) ? (children.props.className ?? "") : "";
  const language = /language-(\S+)/.exec(className)?.[1] ?? "text";
  return (
    <figure className="code-block">
      <figcaption>
        <span>{language}</span>
        <CopyButton text={() => plainText(children)} label="Copy code" />
      </figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard */}
      <pre tabIndex={0}>{children}</pre>
    </figure>
  );
}

function plainText(node: ReactNode): string {
  if (Array.isArray(node)) return node.map(plainText).join("");
  if (isValidElement<{ children?: ReactNode }>(node)) return plainText(node.props.children);
  return typeof node === "string" || typeof node === "number" ? String(node) : "";
}
