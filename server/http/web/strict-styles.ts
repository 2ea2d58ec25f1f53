/**
 * xterm.js writes its colours and sizes into <style> elements, which the page's policy refuses as inline. What it gets
 * instead is an element whose text goes into a constructed sheet: code that runs may style, text that arrives may not.
 */
export function keepStylesStrict(): void {
  const make = document.createElement.bind(document);
  const strict = (name: string, options?: ElementCreationOptions) =>
    name.toLowerCase() === "style" ? sheetElement(make("span")) : make(name, options);
  Object.defineProperty(document, "createElement", { value: strict });
}

function sheetElement(element: HTMLElement): HTMLElement {
  const sheet = new CSSStyleSheet();
  element.hidden = true;
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  const remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((each) => each !== sheet);
    Element.prototype.remove.call(element);
  };
  const textContent = { get: () => "", set: (text: string) => sheet.replaceSync(text) };
  return Object.defineProperties(element, { textContent, remove: { value: remove } });
}
