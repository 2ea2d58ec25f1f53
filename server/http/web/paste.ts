import type { Terminal } from "@xterm/xterm";
import { byId } from "./view.ts";

const MOST_CHARACTERS = 1024 * 1024;
const SHOWN_CHARACTERS = 2000;
/** What no clipboard should type: an escape in it could end the bracket that tells a program what was pasted. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g;

/** Pasted text goes through here before the terminal sees it: without controls, and lines only after a question. */
export function guardPaste(place: HTMLElement, terminal: Terminal, isReadOnly: () => boolean): void {
  const take = (event: ClipboardEvent) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    const text = (event.clipboardData?.getData("text/plain") ?? "").slice(0, MOST_CHARACTERS).replace(CONTROLS, "");
    if (text !== "" && !isReadOnly()) void pasteAfterAsking(terminal, text);
  };
  place.addEventListener("paste", take, { capture: true });
}

/** A program that knows brackets shows lines before it runs them; of any other the operator is asked. */
async function pasteAfterAsking(terminal: Terminal, text: string): Promise<void> {
  const isLines = /[\r\n]/.test(text.trimEnd()) || /[\r\n]$/.test(text);
  if (isLines && !terminal.modes.bracketedPasteMode && !(await isWanted(text))) return;
  terminal.paste(text);
  terminal.focus();
}

/** One question after the other: a dialog tells that it was closed some time after it was. */
let asked: Promise<unknown> = Promise.resolve();

async function isWanted(text: string): Promise<boolean> {
  const answer = asked.then(async () => await answerTo(text));
  asked = answer;
  return await answer;
}

async function answerTo(text: string): Promise<boolean> {
  const dialog = byId("paste", HTMLDialogElement);
  const lines = text.split(/\r\n|\r|\n/).length;
  byId("paste-title", HTMLElement).textContent = `Paste ${lines} lines?`;
  const isCut = text.length > SHOWN_CHARACTERS;
  byId("paste-text", HTMLElement).textContent = text.slice(0, SHOWN_CHARACTERS) + (isCut ? "\n…" : "");
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  return dialog.returnValue === "paste";
}
