import type { BoundedQueue } from "../../proto/flow/bounded-queue.ts";
import type { WindowSize } from "../../proto/values/terminal.ts";
import type { ProgramExit } from "../system/run-command.ts";

/** A piece of what a program wrote; a terminal has only `output`. */
export interface ProgramOutput {
  readonly kind: "output" | "errorOutput";
  readonly bytes: Uint8Array;
}

/** How it ended; `reason` is why it could not run at all. */
interface SessionExit extends ProgramExit {
  readonly reason?: string;
}

/** What a session runs: a shell on a terminal, or a command with pipes. */
export interface Program {
  /** Of its process session; absent where nothing runs. */
  readonly leader?: number;
  /** Held back when nobody takes it; ends once all of it was read. */
  readonly output: BoundedQueue<ProgramOutput>;
  /** Settles after the last output is in `output`. Never rejects. */
  readonly exited: Promise<SessionExit>;
  /** Resolves when the program's side took it all, or is gone. One at a time. */
  write(bytes: Uint8Array): Promise<void>;
  endInput(): Promise<void>;
  resize(size: WindowSize): void;
  /** To the foreground process group. */
  signal(signal: number): void;
  /** Nothing the program started is left when this resolves. Idempotent. */
  close(): Promise<void>;
}
