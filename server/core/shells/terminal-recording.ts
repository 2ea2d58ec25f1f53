import path from "node:path";
import type { WindowSize } from "../../../proto/values/terminal.ts";
import { CastEvents, castComment, castDecoder, castHeader, gapLabel } from "./asciicast.ts";
import { readCastEnd } from "./cast-end.ts";
import type { OutputKind, RecordedEnd, RecordedSession, Recording } from "./recording.ts";
import { type FileDigest, RecordingFile, readWritten } from "./recording-file.ts";
import type { TerminalWish } from "./shell-start.ts";

interface Files {
  readonly cast: RecordingFile;
  readonly raw: RecordingFile;
  /** What was typed; only when that is recorded. */
  readonly input: RecordingFile | undefined;
}

interface Begun {
  readonly events: CastEvents;
  /** `clock()` at the session's start. */
  readonly start: number;
  readonly gaps?: number;
  /** Milliseconds that only grow; default: of this process. */
  readonly clock?: () => number;
}

/**
 * `<id>.cast` for players and `<id>.raw`, the terminal's exact bytes, which text in a cast cannot hold; `<id>.input` when
 * what is typed is recorded too. The cast ends with the digests of the others, so that its own stands for all.
 */
export class TerminalRecording implements Recording {
  readonly #files: Files;
  readonly #events: CastEvents;
  readonly #start: number;
  readonly #clock: () => number;
  #gaps: number;

  private constructor(files: Files, { events, start, gaps = 0, clock = () => performance.now() }: Begun) {
    this.#files = files;
    this.#gaps = gaps;
    this.#clock = clock;
    this.#events = events;
    this.#start = start;
  }

  static async create(
    folder: string,
    session: RecordedSession,
    terminal: TerminalWish & { readonly recordInput?: boolean; readonly clock?: () => number },
  ): Promise<TerminalRecording> {
    const files = await openAll(folder, session.id, {
      cast: RecordingFile.create,
      raw: RecordingFile.create,
      ...(terminal.recordInput === true && { input: RecordingFile.create }),
    });
    const recording = new TerminalRecording(files, {
      events: new CastEvents(),
      start: (terminal.clock ?? (() => performance.now()))(),
      ...(terminal.clock && { clock: terminal.clock }),
    });
    const title = `${session.operator} on ${session.host}`;
    await files.cast.append(castHeader({ ...terminal, startedAt: session.startedAt, title }));
    return recording;
  }

  /** Goes on with what another process left, behind what of it is whole. */
  static async reopen(folder: string, { id, startedAt }: Pick<RecordedSession, "id" | "startedAt">, now: number) {
    const at = (extension: string) => path.join(folder, `${id}.${extension}`);
    const { cast, raw, decoder, last, missed, gaps } = await readCastEnd(at("cast"), at("raw"));
    const inputDecoder = castDecoder();
    const input = await readWritten(at("input"), (chunk) => inputDecoder.decode(chunk, { stream: true })).catch(
      () => undefined,
    );
    const files = await openAll(folder, id, {
      cast: (file) => RecordingFile.reopen(file, cast),
      raw: (file) => RecordingFile.reopen(file, raw),
      ...(input !== undefined && { input: (file) => RecordingFile.reopen(file, input) }),
    });
    const events = new CastEvents({ last, output: decoder, input: inputDecoder });
    const recording = new TerminalRecording(files, { events, gaps, start: performance.now() - (now - startedAt) });
    await recording.#append(events.missed(last, missed));
    return recording;
  }

  /** Of the terminal's output: the offset of what comes next. */
  get outputBytes(): number {
    return this.#files.raw.bytes;
  }

  get missingBytes(): number {
    return this.#gaps;
  }

  get recordsInput(): boolean {
    return this.#files.input !== undefined;
  }

  get bytes(): number {
    const { cast, raw, input } = this.#files;
    return cast.bytes + raw.bytes + (input?.bytes ?? 0);
  }

  async output(_kind: OutputKind, bytes: Uint8Array): Promise<void> {
    const raw = this.#files.raw.append(bytes);
    await Promise.all([raw, this.#append(this.#events.output(this.#now(), bytes))]);
  }

  async input(bytes: Uint8Array): Promise<void> {
    const { input } = this.#files;
    if (input === undefined) return;
    await Promise.all([input.append(bytes), this.#append(this.#events.input(this.#now(), bytes))]);
  }

  async resize(size: WindowSize): Promise<void> {
    await this.#append(this.#events.resize(this.#now(), size));
  }

  async mark(label: string): Promise<void> {
    await this.#append(this.#events.mark(this.#now(), label));
  }

  async gap(bytes: number): Promise<void> {
    this.#gaps += bytes;
    await this.mark(gapLabel(bytes));
    await this.#files.cast.sync();
  }

  async finish({ code, reason }: RecordedEnd): Promise<FileDigest> {
    const { cast, raw, input } = this.#files;
    const beside = await finishAll([raw, input]).catch(async (error: unknown) => {
      await cast.finish().catch(() => undefined);
      throw error;
    });
    const told = beside.map(({ bytes, digest }, index) => `${BESIDE[index]} ${bytes} bytes ${digest}`);
    const comment = castComment([...told, ...(reason === "" ? [] : [reason])].join("; "));
    // What fails here shows in finish.
    this.#append(this.#events.exit(this.#now(), code ?? 255) + comment).catch(() => undefined);
    return await cast.finish();
  }

  async suspend(): Promise<void> {
    const { cast, raw, input } = this.#files;
    await finishAll([cast, raw, input]);
  }

  async #append(line: string): Promise<void> {
    if (line !== "") await this.#files.cast.append(line);
  }

  /** Microseconds. */
  #now(): number {
    return (this.#clock() - this.#start) * 1000;
  }
}

const BESIDE = ["raw", "input"];

type Opener = (file: string) => Promise<RecordingFile>;

/** All, or none stays open. */
async function openAll(
  folder: string,
  id: string,
  openers: { readonly cast: Opener; readonly raw: Opener; readonly input?: Opener },
): Promise<Files> {
  const opened: RecordingFile[] = [];
  const open = async (extension: string, opener: Opener) => {
    const file = await opener(path.join(folder, `${id}.${extension}`));
    opened.push(file);
    return file;
  };
  try {
    const cast = await open("cast", openers.cast);
    const raw = await open("raw", openers.raw);
    return { cast, raw, input: openers.input && (await open("input", openers.input)) };
  } catch (error) {
    await Promise.allSettled(opened.map((file) => file.finish()));
    throw error;
  }
}

/** Closes all, whatever becomes of one. */
async function finishAll(files: readonly (RecordingFile | undefined)[]): Promise<FileDigest[]> {
  const there = files.filter((file) => file !== undefined);
  const finished = await Promise.allSettled(there.map((file) => file.finish()));
  return finished.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}
