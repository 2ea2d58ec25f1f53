import { mkdir } from "node:fs/promises";
import path from "node:path";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { WindowSize } from "../../../proto/values/terminal.ts";
import { CommandRecording } from "./command-recording.ts";
import type { OutputKind, RecordedEnd, RecordedSession, Recording, RecordingMode } from "./recording.ts";
import { digestOfFile, type FileDigest } from "./recording-file.ts";
import type { RecordingRoom } from "./recording-room.ts";
import type { ShellStart } from "./shell-start.ts";
import { TerminalRecording } from "./terminal-recording.ts";

export interface RecorderOptions {
  readonly folder: string;
  readonly mode: RecordingMode;
  /** Without it there is no quota. */
  readonly room?: RecordingRoom | undefined;
}

interface RecorderOf extends RecorderOptions {
  readonly id: string;
  readonly command: readonly string[];
}

const NOTHING: FileDigest = { bytes: 0, digest: "" };

/** A session's recording under one of the two rules for what happens when it fails. */
export class Recorder {
  readonly #mode: RecordingMode;
  /** What a broken recording left is on the disk: see what it is. */
  readonly #look: () => Promise<FileDigest>;
  readonly #room: RecordingRoom | undefined;
  #recording: Recording | undefined;
  #failure: unknown;
  #finished = false;
  #outputBytes = 0;
  #missingBytes = 0;
  /** Of the recording's size, what the room knows of. */
  #counted = 0;

  private constructor({ folder, mode, room, id, command }: RecorderOf) {
    this.#mode = mode;
    this.#room = room;
    this.#look = async () => await digestOfRecording(folder, id, command);
  }

  /** Under `strict` throws `unavailable` when the recording cannot be made. */
  static async create(options: RecorderOptions, session: RecordedSession, start: ShellStart): Promise<Recorder> {
    const { folder } = options;
    const { terminal, recordInput = false } = start;
    return await Recorder.#over({ ...options, id: session.id, command: start.command }, async () => {
      await makeFolder(folder);
      return terminal === undefined
        ? await CommandRecording.create(folder, session, start)
        : await TerminalRecording.create(folder, session, { ...terminal, recordInput });
    });
  }

  /**
   * Goes on with the recording of a session that an earlier hpsd left open. What it holds is made whole first: a torn last
   * line goes, and of a terminal's two files the raw one counts. `outputBytes` then says what the agent sends next.
   */
  static async reopen(
    options: RecorderOptions,
    { id, command, startedAt }: Pick<RecordedSession, "id" | "startedAt"> & Pick<ShellStart, "command">,
    now: number,
  ): Promise<Recorder> {
    const { folder } = options;
    return await Recorder.#over({ ...options, id, command }, async () =>
      command.length > 0
        ? await CommandRecording.reopen(folder, id)
        : await TerminalRecording.reopen(folder, { id, startedAt }, now),
    );
  }

  static async #over(of: RecorderOf, open: () => Promise<Recording>): Promise<Recorder> {
    const recorder = new Recorder(of);
    await of.room?.prepare();
    await recorder.#keep(async () => {
      const recording = await open();
      recorder.#recording = recording;
      recorder.#outputBytes = recording.outputBytes;
      recorder.#missingBytes = recording.missingBytes;
    });
    return recorder;
  }

  /** Of the session's output that is recorded, or need not be: what the agent may forget. */
  get outputBytes(): number {
    return this.#outputBytes;
  }

  /** Of the session's output that neither the recording nor the agent has. */
  get missingBytes(): number {
    return this.#missingBytes;
  }

  /** What is typed or sent is in the recording too. */
  get recordsInput(): boolean {
    return this.#recording?.recordsInput ?? false;
  }

  /** All so far is in the recording. */
  get complete(): boolean {
    return this.#failure === undefined;
  }

  /** Why the session cannot go on, when it is not complete and has to be. */
  get refusal(): HpsError | undefined {
    if (this.complete || this.#mode !== "strict") return undefined;
    return this.#failure instanceof HpsError ? this.#failure : unrecorded(this.#failure);
  }

  /** What was underneath when it is not complete: for the log alone. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Resolves when the bytes are recorded, or need not be. Under `strict` throws `unavailable`, always from then on. */
  async output(kind: OutputKind, bytes: Uint8Array): Promise<void> {
    await this.#keep(async (recording) => await recording?.output(kind, bytes), bytes.length);
    this.#outputBytes += bytes.length;
  }

  /** What is typed or sent: recorded when the session was begun so, else nothing of it is kept. */
  async input(bytes: Uint8Array): Promise<void> {
    await this.#keep(async (recording) => await recording?.input(bytes), bytes.length);
  }

  async mark(label: string): Promise<void> {
    await this.#keep(async (recording) => await recording?.mark(label));
  }

  /** So many bytes of output are lost. Resolves when that is durable: who goes on with the recording asks for no byte twice. */
  async gap(bytes: number): Promise<void> {
    this.#missingBytes += bytes;
    await this.#keep(async (recording) => await recording?.gap(bytes));
  }

  async resize(size: WindowSize): Promise<void> {
    await this.#keep(async (recording) => await recording?.resize(size));
  }

  /** Makes durable what there is and closes it, for the hpsd after this one to go on with. Never throws. */
  async suspend(): Promise<void> {
    this.#finished = true;
    await this.#recording?.suspend().catch(() => undefined);
  }

  /** Gives what is on the disk: durable when `complete`, else as much as there is. Never throws. */
  async finish(end: RecordedEnd): Promise<FileDigest> {
    this.#finished = true;
    this.#count();
    try {
      return (await this.#recording?.finish(end)) ?? NOTHING;
    } catch (error) {
      this.#failure ??= error;
      return await this.#look();
    }
  }

  async #keep(step: (recording: Recording | undefined) => Promise<void>, more = 0): Promise<void> {
    if (this.#finished) return;
    if (this.#failure === undefined) {
      try {
        this.#room?.admit(this.#recording?.bytes ?? 0, more);
        await step(this.#recording);
      } catch (error) {
        this.#failure = error;
      }
      this.#count();
    }
    if (this.refusal !== undefined) throw this.refusal;
  }

  #count(): void {
    const { bytes } = this.#recording ?? { bytes: 0 };
    this.#room?.grew(bytes - this.#counted);
    this.#counted = bytes;
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
