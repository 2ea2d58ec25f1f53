import path from "node:path";
import type { OutputKind, RecordedEnd, RecordedSession, Recording } from "./recording.ts";
import { type FileDigest, RecordingFile } from "./recording-file.ts";
import { readWholeLines } from "./whole-lines.ts";

/** Of each of standard output and standard error, and of the input when that is recorded. */
const KEPT_BYTES = 64 * 1024;

export interface RecordedCommand {
  readonly command: readonly string[];
  readonly recordInput?: boolean;
}

/**
 * `<id>.jsonl`: one JSON object a line, so that what was written is readable whatever happens later. First what was run,
 * then the first 64 kB of each output in base64 as they came, last the exit with bytes and SHA-256 of each direction.
 */
export class CommandRecording implements Recording {
  readonly outputBytes = 0;
  readonly #file: RecordingFile;
  readonly #left: Record<OutputKind | "input", number>;

  private constructor(file: RecordingFile, kept: { readonly output: number; readonly input: number }) {
    this.#file = file;
    this.#left = { output: kept.output, errorOutput: kept.output, input: kept.input };
  }

  static async create(
    folder: string,
    session: RecordedSession,
    { command, recordInput = false }: RecordedCommand,
  ): Promise<CommandRecording> {
    const file = await RecordingFile.create(pathOf(folder, session.id));
    const recording = new CommandRecording(file, { output: KEPT_BYTES, input: recordInput ? KEPT_BYTES : 0 });
    await recording.#write({ version: 1, command, ...session });
    return recording;
  }

  /** To write the end of what another process left: of what its command still says nothing is kept. */
  static async reopen(folder: string, id: string): Promise<CommandRecording> {
    const file = pathOf(folder, id);
    const written = await readWholeLines(file, isOpen);
    return new CommandRecording(await RecordingFile.reopen(file, written), { output: 0, input: 0 });
  }

  get bytes(): number {
    return this.#file.bytes;
  }

  async output(kind: OutputKind, bytes: Uint8Array): Promise<void> {
    await this.#keep(kind, bytes);
  }

  async input(bytes: Uint8Array): Promise<void> {
    await this.#keep("input", bytes);
  }

  async resize(): Promise<void> {}

  async mark(label: string): Promise<void> {
    await this.#write({ mark: label });
  }

  async finish({ code, reason, traffic }: RecordedEnd): Promise<FileDigest> {
    // What fails here shows in finish.
    this.#write({ exit: code, reason, ...traffic }).catch(() => undefined);
    return await this.#file.finish();
  }

  async #keep(kind: OutputKind | "input", bytes: Uint8Array): Promise<void> {
    const kept = bytes.subarray(0, this.#left[kind]);
    this.#left[kind] -= kept.length;
    if (kept.length > 0) await this.#write({ [kind]: Buffer.from(kept).toString("base64") });
  }

  async #write(line: object): Promise<void> {
    await this.#file.append(`${JSON.stringify(line)}\n`);
  }
}

function pathOf(folder: string, id: string): string {
  return path.join(folder, `${id}.jsonl`);
}

/** A whole line that is not the last of all. */
function isOpen(line: string): boolean {
  try {
    const record: unknown = JSON.parse(line);
    return typeof record === "object" && record !== null && !("exit" in record);
  } catch {
    return false;
  }
}
