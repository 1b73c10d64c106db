import { isValidElement, memo, type ReactNode, useDeferredValue } from "react";
import ReactMarkdown, { type Components } from "react-markdown";
import rehypeHighlight from "rehype-highlight";
import remarkGfm from "remark-gfm";
import { CopyButton } from "./CopyButton";

const COMPONENTS: Components = {
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
      <table>{children}</table>
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
  return (
    <div className="markdown">
      <ReactMarkdown remarkPlugins={REMARK} rehypePlugins={REHYPE} components={COMPONENTS}>
        {text}
      </ReactMarkdown>
    </div>
  );
});

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
