import { open } from "node:fs/promises";
import path from "node:path";
import { SessionNoticeKind } from "../../../proto/gen/hps/v1/shell_pb.ts";
import type { WindowSize } from "../../../proto/values/terminal.ts";
import { castWindow } from "./cast-window.ts";
import type { OperatorOutput } from "./participant.ts";
import type { ScreenJob } from "./screen-text.ts";
import type { Screens } from "./screens.ts";

/** Of the recording's end, what a screen is rebuilt from. */
const TAIL_BYTES = 1024 * 1024;
/** Changes of size that are remembered. */
const MAX_SIZES = 64;
/** Of one message. */
const PIECE = 64 * 1024;

const FAILED: readonly OperatorOutput[] = [
  {
    case: "notice",
    value: {
      kind: SessionNoticeKind.BEHIND,
      text: "the screen could not be rebuilt: Ctrl-L draws it anew in most programs",
      participant: "",
    },
  },
];

export interface SessionScreenOptions {
  readonly screens: Screens;
  /** Where the recording lies. */
  readonly folder: string;
  readonly id: string;
  /** How large the terminal is at the beginning; not known of one that an earlier hpsd began. */
  readonly window: WindowSize | undefined;
}

/** The screen of one terminal session, rebuilt from its recording when somebody needs it. */
export class SessionScreen {
  readonly #options: SessionScreenOptions;
  readonly #sizes: (WindowSize & { readonly at: number })[] = [];
  #last: { readonly at: number; readonly outputs: Promise<readonly OperatorOutput[]> } | undefined;

  constructor(options: SessionScreenOptions) {
    this.#options = options;
    if (options.window !== undefined) this.#sizes.push({ ...options.window, at: 0 });
  }

  /** The terminal's size now, where it is known: of one that an earlier hpsd began, once that changes or somebody needs it. */
  get size(): WindowSize | undefined {
    return this.#sizes.at(-1);
  }

  /** The terminal has this size from so many bytes of output on. */
  resized(size: WindowSize, at: number): void {
    this.#sizes.push({ ...size, at });
    if (this.#sizes.length > MAX_SIZES) this.#sizes.shift();
    this.#last = undefined;
  }

  /** What shows how it stands behind so many bytes of output. Never rejects. */
  at(bytes: number): Promise<readonly OperatorOutput[]> {
    // Those who come at one time get one.
    if (this.#last?.at !== bytes) this.#last = { at: bytes, outputs: this.#rebuild(bytes) };
    return this.#last.outputs;
  }

  async #rebuild(bytes: number): Promise<readonly OperatorOutput[]> {
    const text = await this.#options.screens.rebuild(async () => await this.#job(bytes));
    if (text === undefined) return FAILED;
    const all = Buffer.from(text);
    const pieces: OperatorOutput[] = [];
    for (let from = 0; from < all.length; from += PIECE) {
      pieces.push({ case: "output", value: all.subarray(from, from + PIECE) });
    }
    return pieces;
  }

  async #job(bytes: number): Promise<ScreenJob> {
    const { folder, id } = this.#options;
    if (this.#sizes[0]?.at !== 0)
      this.#sizes.unshift({ ...(await castWindow(path.join(folder, `${id}.cast`))), at: 0 });
    const from = Math.max(0, bytes - TAIL_BYTES);
    const before = this.#sizes.findLast(({ at }) => at <= from) ?? this.#sizes[0];
    const within = this.#sizes.filter(({ at }) => at > from && at <= bytes);
    const sizes = [...(before === undefined ? [] : [before]), ...within];
    return {
      bytes: await readBytes(path.join(folder, `${id}.raw`), from, bytes - from),
      isWhole: from === 0,
      sizes: sizes.map((size) => ({ ...size, at: Math.max(0, size.at - from) })),
    };
  }
}

async function readBytes(file: string, from: number, length: number): Promise<Uint8Array> {
  await using handle = await open(file);
  const buffer = new Uint8Array(length);
  let read = 0;
  while (read < length) {
    const { bytesRead } = await handle.read(buffer, read, length - read, from + read);
    if (bytesRead === 0) throw new Error(`${file} ends at ${from + read}, before ${from + length}`);
    read += bytesRead;
  }
  return buffer;
}
