/** Terminals of tests, drawn by tmux: what a person would see of a program. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect } from "vitest";
import { must, run } from "../lab/run.ts";

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** The machine may have other work. */
export const SOON = { timeout: 60_000 };
/** Between two looks. */
const LOOK_MS = 150;

/** One program on a terminal of its own; `exit=CODE` stands below it when it has ended. */
export class TmuxScreen implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Nothing of this machine's tmux settings counts. */
  static async start(
    argv: readonly string[],
    { columns, rows }: Size,
    environment: Readonly<Record<string, string>>,
  ): Promise<TmuxScreen> {
    const screen = new TmuxScreen(await mkdtemp(path.join(tmpdir(), "hps-tmux-")));
    const set = Object.entries(environment).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
    const size = ["-x", String(columns), "-y", String(rows)];
    // It stays when its program has ended, so that the end can be seen.
    const kept = ["/bin/sh", "-c", '"$@"; echo "exit=$?"; exec cat > /dev/null', "-", ...argv];
    const plain = [";", "set-option", "-g", "status", "off"];
    await screen.#tmux("-f", "/dev/null", "new-session", "-d", ...size, ...set, "--", ...kept, ...plain);
    await screen.resize({ columns, rows });
    return screen;
  }

  /** Typed as it is. */
  async type(text: string): Promise<void> {
    await this.#tmux("send-keys", "-l", "--", text);
  }

  /** Keys by tmux's names: `Enter`, `Escape`, `C-c`. */
  async press(...keys: readonly string[]): Promise<void> {
    await this.#tmux("send-keys", "--", ...keys);
  }

  async line(text: string): Promise<void> {
    await this.type(text);
    await this.press("Enter");
  }

  async resize({ columns, rows }: Size): Promise<void> {
    await this.#tmux("resize-window", "-x", String(columns), "-y", String(rows));
  }

  /** What is seen, colours too, and where the cursor stands. */
  async shown(): Promise<string> {
    const picture = await this.#tmux("capture-pane", "-p", "-e", "-N");
    const cursor = await this.#tmux(
      "display-message",
      "-p",
      "#{cursor_x},#{cursor_y} #{alternate_on} #{mouse_any_flag}",
    );
    return `${picture}cursor ${cursor}`;
  }

  /** Without colours and the cursor. */
  async text(): Promise<string> {
    return await this.#tmux("capture-pane", "-p");
  }

  /** The process id of the program. */
  async pid(): Promise<number> {
    const shell = (await this.#tmux("display-message", "-p", "#{pane_pid}")).trim();
    return Number((await readFile(`/proc/${shell}/task/${shell}/children`, "utf8")).trim());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run(["tmux", "-S", path.join(this.#folder, "socket"), "kill-server"]);
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #tmux(...words: readonly string[]): Promise<string> {
    return await must(["tmux", "-S", path.join(this.#folder, "socket"), ...words], {
      env: { TMUX: "", LC_ALL: "C.UTF-8" },
    });
  }
}

/** Does the same to both, after which both show the same, with `sees` in it. */
export async function alike(
  [one, other]: readonly [TmuxScreen, TmuxScreen],
  sees: RegExp,
  act: (screen: TmuxScreen) => Promise<void>,
): Promise<void> {
  await Promise.all([act(one), act(other)]);
  const until = performance.now() + SOON.timeout;
  for (let before = ""; ; ) {
    const [through, direct, text] = [await one.shown(), await other.shown(), await other.text()];
    const now = `${through}\n${direct}`;
    // Twice the same: nothing is on its way.
    if (now === before && through === direct && sees.test(text)) return;
    if (performance.now() > until) {
      expect(text).toMatch(sees);
      expect(through).toBe(direct);
    }
    before = now;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** What is shown when it changes no more. */
export async function settled(screen: TmuxScreen): Promise<string> {
  for (let before = ""; ; ) {
    const now = await screen.shown();
    if (now === before) return now;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
