import path from "node:path";
import type { WindowSize } from "../../../proto/values/terminal.ts";
import { CastEvents, castComment, castHeader } from "./asciicast.ts";
import type { OutputKind, RecordedEnd, RecordedSession, Recording } from "./recording.ts";
import { type FileDigest, RecordingFile } from "./recording-file.ts";
import type { TerminalWish } from "./shell-start.ts";

/**
 * `<id>.cast` for players and `<id>.raw`, the terminal's exact bytes, which text in a cast cannot hold. The cast ends
 * with the digest of the raw file, so that the cast's own digest stands for both.
 */
export class TerminalRecording implements Recording {
  readonly #cast: RecordingFile;
  readonly #raw: RecordingFile;
  readonly #events = new CastEvents();
  readonly #start = performance.now();

  private constructor(cast: RecordingFile, raw: RecordingFile) {
    this.#cast = cast;
    this.#raw = raw;
  }

  static async create(folder: string, session: RecordedSession, terminal: TerminalWish): Promise<TerminalRecording> {
    const cast = await RecordingFile.create(path.join(folder, `${session.id}.cast`));
    const raw = await RecordingFile.create(path.join(folder, `${session.id}.raw`)).catch(async (error: unknown) => {
      await cast.finish();
      throw error;
    });
    const recording = new TerminalRecording(cast, raw);
    const title = `${session.operator} on ${session.host}`;
    await recording.#cast.append(castHeader({ ...terminal, startedAt: session.startedAt, title }));
    return recording;
  }

  async output(_kind: OutputKind, bytes: Uint8Array): Promise<void> {
    const raw = this.#raw.append(bytes);
    await Promise.all([raw, this.#append(this.#events.output(this.#now(), bytes))]);
  }

  async resize(size: WindowSize): Promise<void> {
    await this.#append(this.#events.resize(this.#now(), size));
  }

  async finish({ code, reason }: RecordedEnd): Promise<FileDigest> {
    const raw = await this.#raw.finish().catch(async (error: unknown) => {
      await this.#cast.finish().catch(() => undefined);
      throw error;
    });
    const comment = castComment(`raw ${raw.bytes} bytes ${raw.digest}${reason === "" ? "" : `; ${reason}`}`);
    // What fails here shows in finish.
    this.#append(this.#events.exit(this.#now(), code ?? 255) + comment).catch(() => undefined);
    return await this.#cast.finish();
  }

  async #append(line: string): Promise<void> {
    if (line !== "") await this.#cast.append(line);
  }

  /** Microseconds. */
  #now(): number {
    return (performance.now() - this.#start) * 1000;
  }
}
