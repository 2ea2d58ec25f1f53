import path from "node:path";
import { CopyWatch } from "./copy-watch.ts";
import type { OutputKind, RecordedEnd, RecordedSession, Recording } from "./recording.ts";
import { type FileDigest, RecordingFile } from "./recording-file.ts";
import type { CopyWish } from "./shell-start.ts";
import { readWholeLines } from "./whole-lines.ts";

type Stream = OutputKind | "input";

/** Of each of standard output and standard error, and of the input when that is recorded. */
const KEPT_BYTES = 64 * 1024;

export interface RecordedCommand {
  readonly command: readonly string[];
  readonly recordInput?: boolean;
  readonly copy?: CopyWish;
}

/** The stream that is a copy's archive. */
const ARCHIVES = { "to-host": "input", "from-host": "output" } as const;

/**
 * `<id>.jsonl`: one JSON object a line, so that what was written is readable whatever happens later. First what was run,
 * then the first 64 kB of each output in base64 as they came, last the exit with bytes and SHA-256 of each direction.
 * Of a copy, the files on their way stand in the place of the stream that is their archive.
 */
export class CommandRecording implements Recording {
  readonly outputBytes = 0;
  readonly missingBytes = 0;
  readonly #file: RecordingFile;
  readonly #left: Record<Stream, number>;
  readonly recordsInput: boolean;
  #copy: { readonly stream: Stream; readonly watch: CopyWatch } | undefined;

  private constructor(file: RecordingFile, { output, input }: { readonly output: number; readonly input: number }) {
    this.#file = file;
    this.#left = { output, errorOutput: output, input };
    this.recordsInput = input > 0;
  }

  static async create(
    folder: string,
    session: RecordedSession,
    { command, recordInput = false, copy }: RecordedCommand,
  ): Promise<CommandRecording> {
    const file = await RecordingFile.create(pathOf(folder, session.id));
    const recording = new CommandRecording(file, { output: KEPT_BYTES, input: recordInput ? KEPT_BYTES : 0 });
    if (copy !== undefined) recording.#copy = { stream: ARCHIVES[copy], watch: new CopyWatch() };
    await recording.#write({ version: 1, command, ...(copy && { copy }), ...session });
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

  /** A command ends with its stream: it has none. */
  async gap(): Promise<void> {}

  async mark(label: string): Promise<void> {
    await this.#write({ mark: label });
  }

  async suspend(): Promise<void> {
    await this.#file.finish();
  }

  async finish({ code, reason, traffic }: RecordedEnd): Promise<FileDigest> {
    // What fails here shows in finish.
    this.#write({ exit: code, reason, ...traffic }).catch(() => undefined);
    return await this.#file.finish();
  }

  async #keep(kind: Stream, bytes: Uint8Array): Promise<void> {
    if (this.#copy?.stream === kind) {
      const { lines, isArchive } = this.#copy.watch.take(bytes);
      if (lines.length > 0) await this.#write(...lines);
      if (isArchive) return;
      // From here on it is a stream as any other.
      this.#copy = undefined;
      this.#left[kind] = KEPT_BYTES;
    }
    const kept = bytes.subarray(0, this.#left[kind]);
    this.#left[kind] -= kept.length;
    if (kept.length > 0) await this.#write({ [kind]: Buffer.from(kept).toString("base64") });
  }

  async #write(...lines: readonly object[]): Promise<void> {
    await this.#file.append(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
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
