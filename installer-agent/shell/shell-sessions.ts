import { BoundedQueue } from "../../proto/flow/bounded-queue.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import { loginHome } from "./login.ts";
import type { Program, ProgramOutput } from "./program.ts";
import { type ServeShell, serveSession } from "./serve-session.ts";
import { DEFAULT_SHELL_LIMITS, type ShellOptions } from "./shell-options.ts";
import { type ShellRequest, startProgram } from "./start-program.ts";

/** What a shell answers for a program that is not there, or cannot be run. */
const NOT_FOUND = 127;
const NOT_RUNNABLE = 126;

/** The shell sessions of one agent. */
export class ShellSessions {
  readonly #options: ShellOptions;
  readonly #open = new Map<string, Promise<void>>();
  readonly #stop = new AbortController();

  /** By default with the user's own home. */
  constructor(options: Partial<ShellOptions> = {}) {
    this.#options = { ...DEFAULT_SHELL_LIMITS, home: loginHome(), ...options };
  }

  /** Sessions that are open now. */
  get count(): number {
    return this.#open.size;
  }

  /**
   * Resolves when the session's program was started and its stream is being opened; the session then goes on by itself.
   * A program that cannot be started is told through the stream, as a shell would. Throws `invalid`, `exists`,
   * `exhausted` or `unavailable`.
   */
  async start(request: ShellRequest, serve: ServeShell): Promise<void> {
    const id = parseUuid(request.session);
    if (this.#stop.signal.aborted) throw new HpsError("unavailable", "the agent is stopping");
    if (this.#open.has(id)) throw new HpsError("exists", `session ${id} is open already`);
    const { sessions } = this.#options;
    if (this.#open.size >= sessions) throw new HpsError("exhausted", `${sessions} shell sessions are open already`);
    const started = Promise.withResolvers<void>();
    this.#open.set(id, started.promise);
    try {
      const program = await startProgram(request, this.#options).catch(asFailedProgram);
      const session = serveSession({ id, program, serve, signal: this.#stop.signal });
      this.#open.set(id, session);
      void session.finally(() => this.#open.delete(id));
    } catch (error) {
      this.#open.delete(id);
      throw error;
    } finally {
      started.resolve();
    }
  }

  /** Ends every session; when it resolves nothing they started is left. */
  async close(): Promise<void> {
    this.#stop.abort(new HpsError("unavailable", "the agent is stopping"));
    while (this.#open.size > 0) await Promise.all(this.#open.values());
  }
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
