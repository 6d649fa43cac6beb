// Text with styles as elements. Nothing here parses markup: text only ever becomes text.

const TAGS = {
  bold: "strong", italic: "em", underline: "u", strikethrough: "s",
  code: "code", pre: "code", blockquote: "blockquote", spoiler: "span",
};
const SCHEMES = ["http:", "https:", "tel:", "mailto:"];

/** The runs of a message ({text, styles, href}) as a fragment. */
export function fragmentOf(runs) {
  const fragment = document.createDocumentFragment();
  for (const run of runs) fragment.append(nodeOf(run));
  return fragment;
}

function nodeOf({ text, styles = [], href }) {
  let node = document.createTextNode(text);
  for (const style of styles) {
    const wrapped = document.createElement(TAGS[style] ?? "span");
    if (style === "spoiler") {
      wrapped.className = "spoiler";
      wrapped.tabIndex = 0;
    }
    wrapped.append(node);
    node = wrapped;
  }
  return href ? linkTo(href, node) : node;
}

/** A link that opens outside of the frame; an address of another kind stays plain text. */
export function linkTo(href, content) {
  const url = URL.parse ? URL.parse(href) : safeUrl(href);
  if (!url || !SCHEMES.includes(url.protocol)) return content;
  const link = document.createElement("a");
  link.href = url.href;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  link.append(content);
  return link;
}

function safeUrl(href) {
  try { return new URL(href); } catch { return null; }
}
