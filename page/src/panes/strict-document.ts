// The page's policy forbids style elements and style attributes, which the terminal's renderer makes. Here they become what
// they stand for: sheets adopted by the document, and properties set one by one. Nothing else about the document changes.

export function strict(real: Document): Document {
  return new Proxy(real, {
    get(target, key) {
      if (key === "createElement") return (tag: string) => (tag === "style" ? adopted(target) : styled(target.createElement(tag)));
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}

/** For what is made while the terminal opens, part of which goes past the document it was given. */
export function strictly(real: Document, open: () => void) {
  const create = real.createElement.bind(real);
  real.createElement = ((tag: string) => (tag === "style" ? adopted(real) : create(tag))) as typeof real.createElement;
  try {
    open();
  } finally {
    Reflect.deleteProperty(real, "createElement");
  }
}

/** A style element whose text is a sheet of the document. */
function adopted(real: Document): HTMLElement {
  const sheet = new CSSStyleSheet();
  // An element that is nothing to see takes its place; even an empty style element would be reported.
  const element = real.createElement("template");
  real.adoptedStyleSheets = [...real.adoptedStyleSheets, sheet];
  Object.defineProperty(element, "textContent", { get: () => "", set: (text: string) => sheet.replaceSync(text) });
  element.remove = () => {
    real.adoptedStyleSheets = real.adoptedStyleSheets.filter((one) => one !== sheet);
    Element.prototype.remove.call(element);
  };
  return element;
}

function styled<E extends HTMLElement>(element: E): E {
  element.setAttribute = (name: string, value: string) => {
    if (name === "style") element.style.cssText = value;
    else Element.prototype.setAttribute.call(element, name, value);
  };
  return element;
}
