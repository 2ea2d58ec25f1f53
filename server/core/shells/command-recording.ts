import path from "node:path";
import type { OutputKind, RecordedEnd, RecordedSession, Recording } from "./recording.ts";
import { type FileDigest, RecordingFile } from "./recording-file.ts";

/** Of each of standard output and standard error. */
const KEPT_BYTES = 64 * 1024;

/**
 * `<id>.jsonl`: one JSON object a line, so that what was written is readable whatever happens later. First what was run,
 * then the first 64 kB of each output in base64 as they came, last the exit with bytes and SHA-256 of each direction.
 */
export class CommandRecording implements Recording {
  readonly #file: RecordingFile;
  readonly #left: Record<OutputKind, number> = { output: KEPT_BYTES, errorOutput: KEPT_BYTES };

  private constructor(file: RecordingFile) {
    this.#file = file;
  }

  static async create(folder: string, session: RecordedSession, command: readonly string[]): Promise<CommandRecording> {
    const recording = new CommandRecording(await RecordingFile.create(path.join(folder, `${session.id}.jsonl`)));
    await recording.#write({ version: 1, command, ...session });
    return recording;
  }

  async output(kind: OutputKind, bytes: Uint8Array): Promise<void> {
    const kept = bytes.subarray(0, this.#left[kind]);
    this.#left[kind] -= kept.length;
    if (kept.length > 0) await this.#write({ [kind]: Buffer.from(kept).toString("base64") });
  }

  async resize(): Promise<void> {}

  async finish({ code, reason, traffic }: RecordedEnd): Promise<FileDigest> {
    // What fails here shows in finish.
    this.#write({ exit: code, reason, ...traffic }).catch(() => undefined);
    return await this.#file.finish();
  }

  async #write(line: object): Promise<void> {
    await this.#file.append(`${JSON.stringify(line)}\n`);
  }
}
