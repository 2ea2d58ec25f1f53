import type { Caller } from "../identity/principal.ts";
import { type LimitedSession, SessionLimits } from "./session-limits.ts";
import { type JudgedSession, ShellRights, type ShellRightsDeps } from "./shell-rights.ts";

/** What is kept watch over. */
type KeptSession = JudgedSession & LimitedSession;

/** Ends sessions whose time is over, and what somebody does in one without a right to it any more. */
export class SessionKeeper {
  readonly #deps: ShellRightsDeps;
  readonly #rights: ShellRights;
  readonly #limits = new Map<KeptSession, SessionLimits>();

  constructor(deps: ShellRightsDeps) {
    this.#deps = deps;
    this.#rights = new ShellRights(deps);
  }

  /** It begins, or goes on after a time. */
  begun(session: KeptSession, owner: Caller | undefined): void {
    const limits = new SessionLimits(session, this.#deps.clock);
    this.#limits.set(session, limits);
    limits.start();
    this.#rights.watch(session, owner);
  }

  /** Somebody takes part; by `owner` its owner is back. What let it in may be over already. */
  joined(session: KeptSession, owner?: Caller): void {
    this.#rights.watch(session, owner);
  }

  over(session: KeptSession): void {
    this.#limits.get(session)?.stop();
    this.#limits.delete(session);
    this.#rights.forget(session);
  }
}
