import type { SessionFacts, Standing, TicketAsk } from "./messages.ts";

export type PageState = "idle" | "connecting" | "open" | "lost" | "ended";

/** An element of the page, which page.html has. */
export function byId<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`the page has no ${id}`);
}

const WORDS: Readonly<Record<PageState, string>> = {
  idle: "not connected",
  connecting: "connecting…",
  open: "connected",
  lost: "connection lost",
  ended: "ended",
};

/** Of a session that is open, where that is not all there is to say. */
const STANDINGS: Readonly<Record<string, string>> = {
  waiting: "waiting for approval",
  "host-lost": "the host is out of reach",
};

const text = (id: string, words: string) => {
  byId(id, HTMLElement).textContent = words;
};
const show = (id: string, isShown: boolean) => {
  byId(id, HTMLElement).hidden = !isShown;
};
const inputOf = (id: string) => byId(id, HTMLInputElement);

/** What is shown where: nothing from outside becomes anything but text. */
export function showState(state: PageState, words = WORDS[state]): void {
  document.body.dataset.state = state;
  text("state", words);
  show("begin", state === "idle");
  show("end", state === "lost" || state === "ended");
  for (const id of ["detach", "finish"]) byId(id, HTMLButtonElement).disabled = state !== "open";
  if (state !== "open") show("people", false);
}

export function showSession({ cluster, host }: SessionFacts): void {
  const name = `${cluster}/${host}`;
  document.title = `${name} – HPS`;
  text("host", name);
}

const DEEDS = { owner: "began this session", writer: "types too", watcher: "watches" };

/** Who is here, and, to the session's owner, a button for each that lets it type or not. */
export function showStanding(
  { state, people, self, mayType, recorded }: Standing,
  admit: (participant: string, write: boolean) => void,
): void {
  const isOwner = people.some(({ id, role }) => id === self && role === "owner");
  const items = people.map(({ id, operator, role, address }) => {
    const item = document.createElement("li");
    item.dataset.role = role;
    item.textContent = id === self ? `you (${operator})` : operator;
    item.title = `${DEEDS[role]}, from ${address}`;
    if (isOwner && role !== "owner") item.append(admitButton(role === "writer", (write) => admit(id, write)));
    return item;
  });
  byId("people", HTMLElement).replaceChildren(...items);
  show("people", true);
  text("recorded", recorded ? "recorded" : "NOT RECORDED");
  show("recorded", true);
  showState("open", STANDINGS[state] ?? (mayType ? "connected" : "watching"));
  // Only its owner's leaving could end it, and what has not begun cannot be left running.
  show("finish", isOwner || state === "waiting");
  text("detach", isOwner ? "Detach" : "Leave");
  byId("detach", HTMLButtonElement).disabled = state === "waiting";
}

function admitButton(types: boolean, admit: (write: boolean) => void): HTMLButtonElement {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = types ? "only watch" : "let type";
  button.addEventListener("click", () => admit(!types));
  return button;
}

export function showNotice(words: string): void {
  text("notice", words);
}

/** Why the form's wish was not granted; empty takes it away. */
export function showProblem(message: string, hint: string): void {
  text("problem", [message, hint].filter((part) => part !== "").join(" – "));
  show("problem", message !== "");
}

export interface End {
  readonly title: string;
  readonly text: string;
  readonly hint: string;
  /** What the main button does, if there is anything left to do. */
  readonly again: string;
}

export function showEnd(state: "lost" | "ended", end: End): void {
  showState(state);
  text("end-title", end.title);
  text("end-text", end.text);
  text("end-hint", end.hint);
  text("again", end.again);
  show("again", end.again !== "");
  byId(end.again === "" ? "anew" : "again", HTMLElement).focus();
}

/** Of a link there is nothing to choose. */
export function showLinkForm(): void {
  text("begin-title", "You were given a link to a shell");
  text("begin-text", "It opens once. What happens in the session is recorded, in the name of who gave you the link.");
  show("choice", false);
}

export function fillForm(wish: URLSearchParams): void {
  inputOf("ask-host").value = wish.get("host") ?? "";
  inputOf("ask-session").value = wish.get("session") ?? "";
  if (inputOf("ask-session").value !== "") byId("more", HTMLDetailsElement).open = true;
}

export function askInForm(): TicketAsk {
  const session = inputOf("ask-session").value.trim();
  if (session !== "") return { session, write: inputOf("ask-write").checked };
  return { host: inputOf("ask-host").value.trim(), reason: inputOf("ask-reason").value.trim() };
}
