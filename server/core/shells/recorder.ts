import { mkdir } from "node:fs/promises";
import path from "node:path";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { WindowSize } from "../../../proto/values/terminal.ts";
import { CommandRecording } from "./command-recording.ts";
import type { OutputKind, RecordedEnd, RecordedSession, Recording, RecordingMode } from "./recording.ts";
import { digestOfFile, type FileDigest } from "./recording-file.ts";
import type { ShellStart } from "./shell-start.ts";
import { TerminalRecording } from "./terminal-recording.ts";

const NOTHING: FileDigest = { bytes: 0, digest: "" };

/** A session's recording under one of the two rules for what happens when it fails. */
export class Recorder {
  readonly #mode: RecordingMode;
  /** What a broken recording left is on the disk: see what it is. */
  readonly #look: () => Promise<FileDigest>;
  #recording: Recording | undefined;
  #failure: unknown;
  #finished = false;

  private constructor(mode: RecordingMode, look: () => Promise<FileDigest>) {
    this.#mode = mode;
    this.#look = look;
  }

  /** Under `strict` throws `unavailable` when the recording cannot be made. */
  static async create(
    options: { readonly folder: string; readonly mode: RecordingMode },
    session: RecordedSession,
    start: ShellStart,
  ): Promise<Recorder> {
    const { folder, mode } = options;
    const recorder = new Recorder(mode, async () => await digestOfRecording(folder, session.id, start.command));
    await recorder.#keep(async () => {
      await makeFolder(folder);
      recorder.#recording = await (start.terminal === undefined
        ? CommandRecording.create(folder, session, start.command)
        : TerminalRecording.create(folder, session, start.terminal));
    });
    return recorder;
  }

  /** All so far is in the recording. */
  get complete(): boolean {
    return this.#failure === undefined;
  }

  /** Why the session cannot go on, when it is not complete and has to be. */
  get refusal(): HpsError | undefined {
    return this.complete || this.#mode !== "strict" ? undefined : unrecorded(this.#failure);
  }

  /** What was underneath when it is not complete: for the log alone. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Resolves when the bytes are recorded, or need not be. Under `strict` throws `unavailable`, always from then on. */
  async output(kind: OutputKind, bytes: Uint8Array): Promise<void> {
    await this.#keep(async (recording) => await recording?.output(kind, bytes));
  }

  async resize(size: WindowSize): Promise<void> {
    await this.#keep(async (recording) => await recording?.resize(size));
  }

  /** Gives what is on the disk: durable when `complete`, else as much as there is. Never throws. */
  async finish(end: RecordedEnd): Promise<FileDigest> {
    this.#finished = true;
    try {
      return (await this.#recording?.finish(end)) ?? NOTHING;
    } catch (error) {
      this.#failure ??= error;
      return await this.#look();
    }
  }

  async #keep(step: (recording: Recording | undefined) => Promise<void>): Promise<void> {
    if (this.#finished) return;
    if (this.#failure === undefined) {
      try {
        await step(this.#recording);
      } catch (error) {
        this.#failure = error;
      }
    }
    if (this.refusal !== undefined) throw this.refusal;
  }
}

/** Of a session whose end this hpsd did not see. */
export async function digestOfRecording(folder: string, id: string, command: readonly string[]): Promise<FileDigest> {
  const name = `${id}.${command.length === 0 ? "cast" : "jsonl"}`;
  return (await digestOfFile(path.join(folder, name))) ?? NOTHING;
}

/** Not recursive: its parent is hpsd's own folder, and Node's recursive one never ends on a file system that refuses. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
}

function unrecorded(cause: unknown): HpsError {
  return new HpsError("unavailable", "the session cannot be recorded, and without a recording there is no shell", {
    hint: "see hpsd's log: its disk may be full or broken",
    cause,
  });
}
