/** One row of the matrix: a method, a valid request, and what its success looks like. */
import {
  create,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { actionOf } from "../../server/rpc/contract.ts";
import type { Peer, WhoName } from "./identities.ts";
import type { Rig } from "./rig.ts";
import type { Subject, Wish } from "./subject.ts";

/** One cell as it is tried. */
export interface Try {
  readonly rig: Rig;
  readonly who: WhoName;
  readonly peer: Peer;
  readonly subject: Subject;
  /** Another in each try. */
  readonly number: number;
}

export interface RowSpec<M extends DescMethod> {
  /** Where one method is asked in two ways: `of all`. */
  readonly variant?: string;
  /** What the object must be for the request to be valid. */
  readonly wish?: Wish | ((who: WhoName) => Wish);
  /** Made after the object: what only this method needs. */
  readonly extra?: (rig: Rig, subject: Subject) => Promise<string>;
  /** Of a stream: the first message. */
  readonly request: (t: Try) => MessageInitShape<M["input"]>;
  /** Of a stream: what comes after it. */
  readonly next?: (t: Try) => MessageInitShape<M["input"]>;
  /** Whether this reply, or the store after it, shows that it was done for the object. */
  readonly shows: (reply: MessageShape<M["output"]>, t: Try) => boolean;
  /** A stream of things: whether this reply comes after the object's would have come. */
  readonly isPast?: (reply: MessageShape<M["output"]>, t: Try) => boolean;
  /** What the request names, as audit calls it; absent where nothing is named. */
  readonly target?: (t: Try) => string;
  /** The prepared object has a grant for every viewer of its cluster. */
  readonly granted?: boolean;
  /** What the request names is no cluster's, but what all share. */
  readonly shared?: boolean;
  /** Reading changes nothing and is no event; `elsewhere`: what is changed is an agent's or a file, and no table but audit tells of it. */
  readonly changes?: boolean | "elsewhere";
  /** Of a change: how many audit events its caller makes by it; default 1. */
  readonly events?: (who: WhoName) => number;
  /** Whether what goes on after the answer is done. */
  readonly isSettled?: (t: Try) => boolean;
}

export interface Row {
  readonly name: string;
  readonly method: DescMethod;
  /** Whether agents, not operators, are whom it is for. */
  readonly agents: boolean;
  readonly changes: boolean | "elsewhere";
  readonly events: (who: WhoName) => number;
  readonly wish: (who: WhoName) => Wish;
  readonly extra: ((rig: Rig, subject: Subject) => Promise<string>) | undefined;
  readonly requests: (t: Try) => readonly Uint8Array[];
  readonly shows: (reply: Uint8Array, t: Try) => boolean;
  readonly isPast: (reply: Uint8Array, t: Try) => boolean;
  readonly target: ((t: Try) => string) | undefined;
  readonly granted: boolean;
  readonly shared: boolean;
  readonly isSettled: (t: Try) => boolean;
}

export function row<M extends DescMethod>(method: M, spec: RowSpec<M>): Row {
  const {
    variant,
    wish = {},
    extra,
    request,
    next,
    shows,
    isPast,
    target,
    granted = false,
    shared = false,
    changes = false,
    isSettled,
    events = () => 1,
  } = spec;
  const action = actionOf(method);
  // Wire boundary: a reply of this method is of this type.
  const replyOf = (bytes: Uint8Array) => fromBinary(method.output, bytes) as MessageShape<M["output"]>;
  const bytesOf = (init: MessageInitShape<M["input"]>) => toBinary(method.input, create(method.input, init));
  return {
    name: `${action.replace(/^(.*\.)?v1\./, "")}${variant === undefined ? "" : ` ${variant}`}`,
    ...{ method, changes, events, extra, target, granted, shared },
    agents: action.startsWith("hps.v1.AgentService/"),
    wish: typeof wish === "function" ? wish : () => wish,
    requests: (t) => [bytesOf(request(t)), ...(next === undefined ? [] : [bytesOf(next(t))])],
    shows: (bytes, t) => shows(replyOf(bytes), t),
    isPast: (bytes, t) => isPast?.(replyOf(bytes), t) ?? false,
    isSettled: isSettled ?? (() => true),
  };
}
