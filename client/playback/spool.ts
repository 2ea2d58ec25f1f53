import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { StringDecoder } from "node:string_decoder";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";
import { LOOK } from "./cast.ts";

const PIECE = 256 * 1024;
/** The largest piece of output hpsd records, with every byte as an escape. */
const MAX_LINE = 4 * 1024 * 1024;

/**
 * What comes from a stream, on the disk, to be read again and again while it still comes. The file has no name from the
 * beginning, so that nothing is left of it however this process ends.
 */
export class Spool implements AsyncDisposable {
  readonly #file: FileHandle;
  #bytes = 0;
  #ended = false;
  #error: unknown;
  #grown = Promise.withResolvers<void>();

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Takes all of `source`, at its speed. */
  static async of(source: AsyncIterable<Uint8Array>): Promise<Spool> {
    const folder = await mkdtemp(path.join(tmpdir(), "hpsctl-play-")).catch(noRoom);
    try {
      const spool = new Spool(await open(path.join(folder, "recording"), "ax+", 0o600));
      void spool.#take(source);
      return spool;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Lines from the beginning, without their ends; waits for what still comes. A last one that is torn is left out. */
  async *lines(): AsyncGenerator<string, void, void> {
    const decoder = new StringDecoder("utf8");
    let rest = "";
    let position = 0;
    for (let piece = await this.#read(position); piece !== undefined; piece = await this.#read(position)) {
      position += piece.length;
      const lines = (rest + decoder.write(piece)).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > MAX_LINE) throw new HpsError("data-loss", "a line of the recording has no end", { hint: LOOK });
      yield* lines;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  async #take(source: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const piece of source) {
        // All of it, or it throws.
        await this.#file.appendFile(piece).catch(noRoom);
        this.#bytes += piece.length;
        this.#wake();
      }
    } catch (error) {
      this.#error = error;
    }
    this.#ended = true;
    this.#wake();
  }

  #wake(): void {
    this.#grown.resolve();
    this.#grown = Promise.withResolvers<void>();
  }

  async #read(position: number): Promise<Buffer | undefined> {
    while (position >= this.#bytes) {
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended) return undefined;
      await this.#grown.promise;
    }
    const piece = Buffer.allocUnsafe(Math.min(PIECE, this.#bytes - position));
    const { bytesRead } = await this.#file.read(piece, 0, piece.length, position);
    return piece.subarray(0, bytesRead);
  }
}

function noRoom(cause: unknown): never {
  throw new HpsError("unavailable", `the recording cannot be kept in ${quote(tmpdir())} while it is played`, {
    hint: "make room there, or name another folder: TMPDIR=…",
    cause,
  });
}
