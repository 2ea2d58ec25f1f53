/** The web terminal: asks for a ticket, opens the WebSocket, draws what comes. docs/web-terminal.md describes both. */
import "./page.css";
import { Line } from "./line.ts";
import type { ServerMessage, SessionFacts, TicketAsk } from "./messages.ts";
import { Screen } from "./screen.ts";
import { keepStylesStrict } from "./strict-styles.ts";
import { fetchTicket, Refusal } from "./ticket.ts";
import {
  askInForm,
  byId,
  type End,
  fillForm,
  showEnd,
  showLinkForm,
  showNotice,
  showProblem,
  showSession,
  showStanding,
  showState,
} from "./view.ts";

keepStylesStrict();

const LOST: End = {
  title: "The connection is lost",
  text: "The browser lost its connection to hpsd: hpsd was restarted, or the network broke.",
  hint: "The session goes on for some minutes.",
  again: "Reconnect",
};

const OWED = "What you typed last may not have reached the program: look before you type it again.";

const NEVER: End = {
  title: "Not connected",
  text: "hpsd did not take the connection.",
  hint: "Its tickets are good for half a minute, and links for one use.",
  again: "",
};

/** A link's secret is taken out of the address at once: it is in no history, no bookmark and no screenshot. */
const link = new URLSearchParams(location.hash.slice(1)).get("link") ?? undefined;
const wish = new URLSearchParams(location.search);
if (location.hash !== "") history.replaceState(null, "", location.pathname + location.search);

let line: Line | undefined;
let session: SessionFacts | undefined;
/** Whether what is typed here reaches the program now. */
let mayType = false;
let end: { readonly state: "lost" | "ended"; readonly end: End } | undefined;

const screen = new Screen(byId("screen", HTMLElement), {
  typed: (bytes) => line?.type(bytes),
  resized: (size) => line?.resize(size),
  selected: (isSome) => {
    byId("copy", HTMLButtonElement).disabled = !isSome;
  },
  left: () => byId("reader", HTMLElement).focus(),
});

if (link === undefined) fillForm(wish);
else showLinkForm();
showState("idle");
listen();

function listen(): void {
  byId("begin", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    void connect(link === undefined ? askInForm() : { link });
  });
  byId("again", HTMLElement).addEventListener("click", () => {
    if (session !== undefined) void connect({ session: session.id, write: mayType });
  });
  byId("anew", HTMLElement).addEventListener("click", () => startOver());
  byId("detach", HTMLElement).addEventListener("click", () => line?.order({ type: "detach" }));
  byId("finish", HTMLElement).addEventListener("click", () => line?.order({ type: "end" }));
  byId("copy", HTMLElement).addEventListener("click", () => void navigator.clipboard.writeText(screen.selection));
  const reader = byId("reader", HTMLElement);
  reader.addEventListener("click", () => {
    const isOn = reader.getAttribute("aria-pressed") !== "true";
    reader.setAttribute("aria-pressed", String(isOn));
    screen.setReader(isOn);
  });
}

async function connect(ask: TicketAsk): Promise<void> {
  const button = byId("go", HTMLButtonElement);
  if (button.disabled) return; // a second click
  button.disabled = true;
  showProblem("", "");
  try {
    const ticket = await fetchTicket(ask);
    showState("connecting");
    screen.reset();
    end = undefined;
    line = new Line(ticket, screen.size, {
      message: received,
      output: (bytes, drawn) => screen.write(bytes, drawn),
      closed,
    });
  } catch (error) {
    const { message, hint } = error instanceof Refusal ? error : new Refusal("this page failed", String(error));
    const again = error instanceof Refusal && error.mayPass ? "Reconnect" : "";
    if (session === undefined) showProblem(message, hint);
    else showEnd(again === "" ? "ended" : "lost", { title: "Not connected", text: sentence(message), hint, again });
  } finally {
    button.disabled = false;
  }
}

function received(message: ServerMessage): void {
  if (message.type === "session") {
    session = message;
    showSession(message);
    showNotice("");
    screen.focus();
  } else if (message.type === "standing") {
    mayType = message.mayType;
    screen.setReadOnly(!mayType);
    screen.follow(mayType ? undefined : message.size);
    showStanding(message, (participant, write) => line?.order({ type: "admit", participant, write }));
  } else if (message.type === "notice") {
    showNotice(message.text);
  } else {
    end = endOf(message) ?? end;
    // After what was printed before it.
    if (end !== undefined) screen.write(new Uint8Array(), () => line?.close());
  }
}

function endOf(message: ServerMessage): typeof end {
  if (message.type === "error") {
    const { code, message: text, hint } = message;
    // Only then hpsd itself went away, and the session may be held.
    const again = code === "unavailable" && session !== undefined && link === undefined ? "Reconnect" : "";
    if (again !== "") return { state: "lost", end: { ...LOST, text: sentence(text) } };
    const title = session === undefined ? "Not opened" : "The session is closed";
    return { state: "ended", end: { title, text: sentence(text), hint, again } };
  }
  if (message.type === "detached") {
    const again = link === undefined ? "Come back" : "";
    if (message.comeBack) return { state: "lost", end: { ...lostEnd(), text: sentence(message.text) } };
    const text = message.text === "" ? "It goes on without this page, for some minutes." : sentence(message.text);
    return { state: "lost", end: { title: "You left the session", text, hint: "", again } };
  }
  if (message.type !== "exit") return undefined;
  return { state: "ended", end: { title: "The session has ended", text: sentenceOf(message), hint: "", again: "" } };
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}

function sentenceOf({ code, signal, reason }: Extract<ServerMessage, { type: "exit" }>): string {
  if (reason !== "") return sentence(reason);
  return signal > 0
    ? `The shell was killed by signal ${signal} (exit code ${code}).`
    : `The shell ended with exit code ${code}.`;
}

function closed(): void {
  const owes = line?.owes === true && session !== undefined;
  line = undefined;
  const last = end ?? { state: "lost" as const, end: lostEnd() };
  // Of a session that is over nothing waits for it.
  showEnd(
    last.state,
    owes && last.end.again !== "" ? { ...last.end, hint: `${last.end.hint} ${OWED}`.trim() } : last.end,
  );
}

function lostEnd(): End {
  if (session === undefined) return NEVER;
  // A link works once: there is nothing to come back by.
  return link === undefined ? LOST : { ...LOST, hint: "A link works once: ask for another.", again: "" };
}

function startOver(): void {
  session = undefined;
  showNotice("");
  showState("idle");
  byId("ask-host", HTMLElement).focus();
}
