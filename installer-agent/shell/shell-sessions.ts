import { BoundedQueue } from "../../proto/flow/bounded-queue.ts";
import { holdBufferRoom } from "../../proto/flow/buffer-room.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import { describeError, type Log } from "../log.ts";
import { loginHome } from "./login.ts";
import type { Program, ProgramOutput } from "./program.ts";
import { serveCommand } from "./serve-command.ts";
import { serveTerminal } from "./serve-terminal.ts";
import type { ServeShell } from "./served-session.ts";
import { SessionMarks } from "./session-marks.ts";
import { DEFAULT_SHELL_LIMITS, parseHold, type ShellOptions } from "./shell-options.ts";
import { type ShellRequest, startProgram } from "./start-program.ts";

/** What a shell answers for a program that is not there, or cannot be run. */
const NOT_FOUND = 127;
const NOT_RUNNABLE = 126;

const SILENT: Log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };

/** The shell sessions of one agent. */
export class ShellSessions {
  readonly #options: ShellOptions;
  readonly #open = new Map<string, Promise<void>>();
  readonly #stop = new AbortController();
  readonly #listeners = new Set<(text: string) => void>();
  readonly #marks: SessionMarks | undefined;

  /** By default with the user's own home, and without a log. */
  constructor(options: Partial<ShellOptions> = {}) {
    this.#options = { ...DEFAULT_SHELL_LIMITS, home: loginHome(), log: SILENT, ...options };
    const { marks } = this.#options;
    this.#marks = marks === undefined ? undefined : new SessionMarks(marks);
  }

  /** Sessions that are open now. */
  get count(): number {
    return this.#open.size;
  }

  /**
   * Resolves when the session's program was started and its stream is being opened; the session then goes on by itself,
   * a terminal over as many streams as it takes. A program that cannot be started is told through the stream, as a shell would. Throws `invalid`, `exists`,
   * `exhausted` or `unavailable`.
   */
  async start(request: ShellRequest, serve: ServeShell): Promise<void> {
    const id = parseUuid(request.session);
    if (this.#stop.signal.aborted) throw new HpsError("unavailable", "the agent is stopping");
    if (this.#open.has(id)) throw new HpsError("exists", `session ${id} is open already`);
    if (this.#open.size >= this.#options.sessions) throw tooMany(this.#options.sessions);
    const { log } = this.#options;
    const holdMs = parseHold(request.hold) ?? this.#options.holdMs;
    const started = Promise.withResolvers<void>();
    this.#open.set(id, started.promise);
    try {
      const program = await startProgram(request, this.#options).catch(asFailedProgram);
      const carry = request.command.length > 0 ? serveCommand : serveTerminal;
      const { signal } = this.#stop;
      const session = this.#marked(program, () =>
        carry({ id, program, serve, holdMs, log, announced: this.#listeners, signal }),
      );
      this.#open.set(id, session);
      void session.finally(() => this.#open.delete(id));
    } catch (error) {
      this.#open.delete(id);
      throw error;
    } finally {
      started.resolve();
    }
  }

  /** Ends what an agent before this one left running when it was killed. Call before the first session. */
  async endLeft(): Promise<void> {
    await this.#marks?.endLeft(this.#options.graceMs);
  }

  /** Writes a line to every terminal, between what its program writes; one that nobody reads is passed by. */
  announce(text: string): void {
    for (const listener of this.#listeners) listener(text);
  }

  /** Ends every session, saying why; when it resolves nothing they started is left. */
  async close(why = "the agent is stopping"): Promise<void> {
    this.#stop.abort(new HpsError("unavailable", why));
    while (this.#open.size > 0) await Promise.all(this.#open.values());
  }

  async #marked({ leader }: Program, carry: () => Promise<void>): Promise<void> {
    const marks = leader === undefined ? undefined : this.#marks;
    using _room = holdBufferRoom();
    if (leader !== undefined) await marks?.set(leader).catch((error: unknown) => this.#unmarked(error));
    await carry();
    if (leader !== undefined) await marks?.remove(leader);
  }

  /** The session is worth more than what would be left of it by an agent that is killed. */
  #unmarked(error: unknown): void {
    this.#options.log.warn(`a shell session is not marked: ${describeError(error)}`);
  }
}

function tooMany(most: number): HpsError {
  return new HpsError("exhausted", `this machine has ${most} shell sessions open, and takes no more`, {
    hint: "leave or end one of them",
  });
}

/** What says why there is no program, in the place of one. Anything but an HpsError about it is thrown on. */
function asFailedProgram(error: unknown): Program {
  if (!(error instanceof HpsError) || error.code === "invalid") throw error;
  const output = new BoundedQueue<ProgramOutput>({ capacity: 1, sizeOf: () => 0 });
  output.end();
  const code = error.code === "not-found" ? NOT_FOUND : NOT_RUNNABLE;
  const nothing = async () => undefined;
  return {
    output,
    exited: Promise.resolve({ code, signal: 0, reason: error.message }),
    write: nothing,
    endInput: nothing,
    resize: () => undefined,
    signal: () => undefined,
    close: nothing,
  };
}
