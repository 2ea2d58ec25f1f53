import { type CastEvent, type CastHeader, parseCastEvent, parseCastHeader } from "./cast.ts";
import type { PlayKey } from "./keys.ts";
import { Playhead } from "./playhead.ts";
import { SafeOutput } from "./safe-output.ts";

export interface PlayerOptions {
  /** From the beginning; asked for again to go back. */
  readonly lines: () => AsyncGenerator<string, void, void>;
  readonly write: (text: string) => Promise<void>;
  /** Milliseconds. */
  readonly now: () => number;
  /** How many times as fast. */
  readonly speed: number;
  /** No pause of the recording lasts longer, in its own milliseconds. */
  readonly idleLimit: number;
  /** Where to begin, in the recording's milliseconds. */
  readonly from: number;
  /** All sequences, not only the safe ones. */
  readonly raw: boolean;
}

/** How a playing ended. */
export interface PlayEnd {
  /** What the recorded program ended with; undefined when the recording has no end yet, or the viewer left before it. */
  readonly exit: string | undefined;
  readonly quit: boolean;
}

const SEEK_MS = 5_000;
/** So much is put together when it is not to be watched. */
const FAST_CHARACTERS = 256 * 1024;
/** An empty screen, whatever was on it. */
const BLANK = "\x1b[?1049l\x1b[!p\x0f\x1b[2J\x1b[H";
/** Plays a cast: waits as it waited, and does what keys ask for. */
export class Player {
  readonly #options: PlayerOptions;
  readonly #head: Playhead;
  readonly #keys: PlayKey[] = [];
  #pressed = Promise.withResolvers<void>();
  #output = new SafeOutput();
  #held = "";
  #quit = false;
  /** When what was shown last came. */
  #shown = 0;

  constructor(options: PlayerOptions) {
    this.#options = options;
    this.#head = new Playhead(options);
  }

  press(key: PlayKey): void {
    this.#keys.push(key);
    this.#pressed.resolve();
  }

  /** Ends the playing at once. */
  leave(): void {
    this.press("quit");
  }

  get isLeft(): boolean {
    return this.#quit || this.#keys.includes("quit");
  }

  async header(): Promise<CastHeader> {
    const { value } = await this.#options.lines().next();
    return parseCastHeader(value ?? "");
  }

  async play(): Promise<PlayEnd> {
    let round = await this.#round();
    while (round.isBack) {
      await this.#restart();
      round = await this.#round();
    }
    await this.#flush();
    return { exit: this.#quit ? undefined : round.exit, quit: this.#quit };
  }

  /** Once through the recording; `isBack`: until a key asked for what was before. */
  async #round(): Promise<{ readonly isBack: boolean; readonly exit: string | undefined }> {
    let exit: string | undefined;
    for await (const { event, at } of this.#events()) {
      const isBack = await this.#until(at);
      if (isBack || this.#quit) return { isBack, exit: undefined };
      this.#shown = at;
      if (event.code === "o") await this.#show(event.data);
      if (event.code === "x") exit = event.data;
    }
    return { isBack: false, exit };
  }

  /** Each with its time: long pauses are shortened, but not on the way to where to begin. */
  async *#events(): AsyncGenerator<{ readonly event: CastEvent; readonly at: number }, void, void> {
    const { idleLimit, from } = this.#options;
    let isFirst = true;
    let at = 0;
    for await (const line of this.#options.lines()) {
      if (isFirst) parseCastHeader(line);
      const event = isFirst ? undefined : parseCastEvent(line);
      isFirst = false;
      if (event === undefined) continue;
      at += at + event.interval <= from ? event.interval : Math.min(event.interval, idleLimit);
      yield { event, at };
    }
  }

  async #restart(): Promise<void> {
    this.#held = "";
    this.#shown = 0;
    this.#output = new SafeOutput();
    await this.#options.write(BLANK);
  }

  /** Waits until an event is due, or the viewer leaves; true: or wants to see what was before. */
  async #until(at: number): Promise<boolean> {
    for (;;) {
      for (let key = this.#keys.shift(); key !== undefined; key = this.#keys.shift()) this.#do(key, at);
      if (this.#quit) return false;
      if (this.#head.position < this.#shown) return true;
      const wait = this.#head.wait(at);
      if (wait === 0) return false;
      await this.#flush();
      await this.#sleep(wait);
    }
  }

  #do(key: PlayKey, next: number): void {
    if (key === "quit") this.#quit = true;
    else if (key === "pause") this.#head.pause(!this.#head.isPaused);
    else if (key === "faster") this.#head.change(2);
    else if (key === "slower") this.#head.change(0.5);
    else if (key === "on") this.#head.move(this.#head.position + SEEK_MS);
    else if (key === "back") this.#head.move(Math.max(0, this.#head.position - SEEK_MS));
    else {
      this.#head.pause(true);
      this.#head.move(next);
    }
  }

  async #show(data: string): Promise<void> {
    this.#held += this.#options.raw ? data : this.#output.filter(data);
    if (this.#held.length >= FAST_CHARACTERS) await this.#flush();
  }

  async #flush(): Promise<void> {
    const text = this.#held;
    this.#held = "";
    if (text !== "") await this.#options.write(text);
  }

  async #sleep(milliseconds: number): Promise<void> {
    const { promise, resolve } = this.#pressed;
    const timer = Number.isFinite(milliseconds) ? setTimeout(resolve, Math.min(milliseconds, 60_000)) : undefined;
    await promise;
    clearTimeout(timer);
    this.#pressed = Promise.withResolvers<void>();
  }
}
