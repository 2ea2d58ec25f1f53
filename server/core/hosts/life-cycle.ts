import { HpsError } from "../../../proto/values/hps-error.ts";

/**
 * The life of a host, as one table. A resting host has no open installation; in the other states the state is that of
 * its open installation, which holds the host until it ends.
 */
const RESTING = ["registered", "installed"] as const;
export const OPEN = [
  "armed",
  "awaiting-approval",
  "installing",
  "interrupted",
  "failed",
  "frozen",
  "rebooting",
] as const;
export const HOST_STATES = [...RESTING, ...OPEN] as const;

export type OpenState = (typeof OPEN)[number];
export type HostState = (typeof HOST_STATES)[number];

/** What can happen to a host. */
export const HOST_EVENTS = [
  /** An operator opens the window. */
  "arm",
  /** An operator closes the window before a machine enrolled. */
  "disarm",
  /** No machine enrolled within the window. */
  "expire",
  /** An agent with a good claim waits for an operator to compare its fingerprint. */
  "ask",
  /** An agent's first certificate of this installation. */
  "enrol",
  /** A certificate for a machine that restarted in the middle, same facts. */
  "re-enrol",
  /** The same, and the host's policy lets it go on by itself. */
  "resume",
  /** A step failed. */
  "fail",
  /** An operator lets it go on. */
  "retry",
  /** Two machines claim one host. */
  "conflict",
  /** An operator lifts the freeze. */
  "unfreeze",
  /** The agent did its last step and restarts the machine. */
  "finish",
  /** The installed system attached, and is healthy. */
  "report",
  /** The installed system attached, and says that something is wrong with it. */
  "ail",
  /** An operator ends the installation. */
  "cancel",
] as const;
export type HostEvent = (typeof HOST_EVENTS)[number];

/** What an event ends the open installation as, and where the host then rests. `rest`: where it was before. */
export type Ending =
  | { readonly outcome: "succeeded"; readonly rest: "installed" }
  | { readonly outcome: "cancelled" | "expired"; readonly rest: "as-before" };

const SUCCEEDED: Ending = { outcome: "succeeded", rest: "installed" };
const CANCELLED: Ending = { outcome: "cancelled", rest: "as-before" };
const EXPIRED: Ending = { outcome: "expired", rest: "as-before" };

type Row = Partial<Record<HostEvent, OpenState | Ending>>;

const LIFE: Record<HostState, Row> = {
  registered: { arm: "armed" },
  installed: { arm: "armed" },
  armed: {
    disarm: CANCELLED,
    expire: EXPIRED,
    ask: "awaiting-approval",
    enrol: "installing",
    conflict: "frozen",
    cancel: CANCELLED,
  },
  "awaiting-approval": {
    disarm: CANCELLED,
    expire: EXPIRED,
    ask: "awaiting-approval",
    enrol: "installing",
    conflict: "frozen",
    cancel: CANCELLED,
  },
  // Where fingerprints are compared, a machine that restarted in the middle has a new key: it asks again, in its place.
  installing: {
    ask: "interrupted",
    "re-enrol": "interrupted",
    resume: "installing",
    fail: "failed",
    finish: "rebooting",
    conflict: "frozen",
    cancel: CANCELLED,
  },
  interrupted: {
    ask: "interrupted",
    "re-enrol": "interrupted",
    resume: "installing",
    retry: "installing",
    conflict: "frozen",
    cancel: CANCELLED,
  },
  // A host that failed stays failed, however often it restarts, until an operator says otherwise.
  failed: { ask: "failed", "re-enrol": "failed", retry: "installing", conflict: "frozen", cancel: CANCELLED },
  frozen: { conflict: "frozen", unfreeze: "interrupted", cancel: CANCELLED },
  // From here on the machine is sent to its disk: no claim is served.
  rebooting: { report: SUCCEEDED, ail: "rebooting", conflict: "frozen", cancel: CANCELLED },
};

/** What an operator can do about a host in this state; for the hint of a refusal. */
const WAY_OUT: Record<HostState, string> = {
  registered: "arm it first",
  installed: "arm it to install it again",
  armed: "boot the machine from the network, or disarm the host",
  "awaiting-approval": "approve the fingerprint that the machine's console shows, or disarm the host",
  installing: "wait, or cancel the installation",
  interrupted: "retry or cancel the installation",
  failed: "read its log, then retry or cancel the installation",
  frozen: "find out which machine is the right one, then unfreeze or cancel the installation",
  rebooting: "wait for the installed system, or cancel the installation",
};

export function isOpen(state: HostState): state is OpenState {
  return OPEN.some((open) => open === state);
}

/** Whether no machine has enrolled for the installation yet. */
export function isFirst(state: OpenState): boolean {
  return state === "armed" || state === "awaiting-approval";
}

/** Reads a state from the store. */
export function parseOpenState(text: string): OpenState {
  const state = OPEN.find((candidate) => candidate === text);
  if (state === undefined) throw new HpsError("data-loss", `the store holds an unknown installation state: ${text}`);
  return state;
}

/** The next state, or how the installation ends. `precondition` when the event cannot happen in this state. */
export function next(state: HostState, event: HostEvent): OpenState | Ending {
  const to = LIFE[state][event];
  if (to === undefined) {
    throw new HpsError("precondition", `cannot ${event} a host that is ${state}`, {
      hint: WAY_OUT[state],
      details: { state, event },
    });
  }
  return to;
}

/** Whether the event can happen in this state. */
export function can(state: HostState, event: HostEvent): boolean {
  return LIFE[state][event] !== undefined;
}
