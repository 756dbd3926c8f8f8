// Markdown as elements, never as HTML: what a model writes cannot become markup, script or a request to another site.
import { marked, type Token, type Tokens } from "marked";
import { Fragment, memo, useMemo, type ReactNode } from "react";
import { Code } from "./code";

export const Markdown = memo(function Markdown({ text }: { text: string }) {
  const blocks = useMemo(() => marked.lexer(text, { gfm: true }), [text]);
  return (
    <div className="markdown">
      {blocks.map((block, at) => (
        <Block key={at} raw={block.raw} token={block} />
      ))}
    </div>
  );
});

/** While an answer grows, only its last block is made anew. */
const Block = memo(
  ({ token }: { raw: string; token: Token }) => <>{element(token)}</>,
  (before, after) => before.raw === after.raw,
);

function inline(tokens: Token[] | undefined): ReactNode {
  return tokens?.map((token, at) => <Fragment key={at}>{element(token)}</Fragment>);
}

function element(token: Token): ReactNode {
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "heading":
      return heading(token as Tokens.Heading);
    case "paragraph":
      return <p>{inline(token.tokens)}</p>;
    case "code":
      return <Code text={(token as Tokens.Code).text} language={(token as Tokens.Code).lang ?? ""} />;
    case "blockquote":
      return <blockquote>{inline(token.tokens)}</blockquote>;
    case "list":
      return list(token as Tokens.List);
    case "table":
      return table(token as Tokens.Table);
    case "hr":
      return <hr />;
    case "strong":
      return <strong>{inline(token.tokens)}</strong>;
    case "em":
      return <em>{inline(token.tokens)}</em>;
    case "del":
      return <del>{inline(token.tokens)}</del>;
    case "codespan":
      return <code>{unescaped((token as Tokens.Codespan).text)}</code>;
    case "br":
      return <br />;
    case "link":
      return link(token as Tokens.Link);
    case "image":
      return image(token as Tokens.Image);
    case "text":
      return token.tokens ? inline(token.tokens) : unescaped((token as Tokens.Text).text);
    default:
      // HTML above all: shown as it was written.
      return "raw" in token ? token.raw : null;
  }
}

/** Headings in an answer stand below those of the page. */
function heading({ depth, tokens }: Tokens.Heading) {
  const Tag = depth <= 1 ? "h2" : depth === 2 ? "h3" : "h4";
  return <Tag>{inline(tokens)}</Tag>;
}

function list({ ordered, start, items }: Tokens.List) {
  const entries = items.map((item, at) => (
    <li key={at} className={item.task ? "task" : undefined}>
      {item.task && <input type="checkbox" checked={item.checked} readOnly disabled aria-label={item.checked ? "done" : "to do"} />}
      {inline(item.tokens)}
    </li>
  ));
  return ordered ? <ol start={Number(start) || 1}>{entries}</ol> : <ul>{entries}</ul>;
}

function table({ header, rows, align }: Tokens.Table) {
  const cell = (Tag: "th" | "td") => (one: Tokens.TableCell, at: number) => (
    <Tag key={at} className={align[at] ?? undefined}>
      {inline(one.tokens)}
    </Tag>
  );
  return (
    <div className="table" tabIndex={0} role="region" aria-label="Table">
      <table>
        <thead>
          <tr>{header.map(cell("th"))}</tr>
        </thead>
        <tbody>
          {rows.map((row, at) => (
            <tr key={at}>{row.map(cell("td"))}</tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function link({ href, tokens }: Tokens.Link) {
  if (!/^(https?:|mailto:)/i.test(href)) return <span>{inline(tokens)}</span>;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      {inline(tokens)}
    </a>
  );
}

/** A picture of another site would tell that site who reads this: it stays a link. */
function image({ href, text }: Tokens.Image) {
  if (/^data:image\/(png|jpeg|gif|webp);/i.test(href)) return <img src={href} alt={text} />;
  return link({ href, tokens: [{ type: "text", raw: text, text: text || href }] } as Tokens.Link);
}

const ENTITIES: Record<string, string> = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'" };
const unescaped = (text: string) => text.replace(/&(amp|lt|gt|quot|#39);/g, (entity) => ENTITIES[entity]);
