import { readFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import type { HpsdRack } from "./hpsd-rack.ts";
import { type Finished, run } from "./run.ts";

const HPSCTL = new URL("../../client/main.ts", import.meta.url).pathname;
const LIMIT_MS = 10 * 60_000;

interface LineOptions {
  /** What stands for the page's examples. */
  readonly instead?: Readonly<Record<string, string>>;
  /** Further words. */
  readonly more?: string;
  /** The answers, when it asks. */
  readonly typed?: string;
}

/** A page of the documentation, whose commands a test runs as somebody who reads it would. */
export class Documented {
  /** Where the commands find and leave their files. */
  readonly folder: string;
  readonly #rack: HpsdRack;
  readonly #page: string;
  readonly #lines: readonly string[];

  private constructor(rack: HpsdRack, page: string, folder: string) {
    this.#rack = rack;
    this.#page = page;
    this.folder = folder;
    const text = readFileSync(new URL(`../../${page}`, import.meta.url), "utf8");
    const blocks = [...text.matchAll(/^```\n(.*?)^```/gms)].map(([, block = ""]) => block);
    this.#lines = blocks.flatMap((block) => block.trimEnd().split("\n").map(withoutComment));
  }

  static async open(rack: HpsdRack, page: string): Promise<Documented> {
    return new Documented(rack, page, await mkdtemp(join(rack.folder, "documented-")));
  }

  /** Runs this line of the page, as the rack's operator. */
  async line(line: string, { typed = "", ...said }: LineOptions = {}): Promise<Finished> {
    const { rack, environment: env } = this.#rack;
    const command = this.command(line, said);
    const script = `hpsctl() { "${process.execPath}" "${HPSCTL}" "$@"; }; cd "$0" && ${command}`;
    const argv = ["bash", "-c", script, this.folder];
    return await run(argv, { ns: rack.server.ns, env, input: typed, timeoutMs: LIMIT_MS });
  }

  /** A line of the page, or an error: what is documented is what is tried. */
  command(line: string, { instead = {}, more = "" }: LineOptions = {}): string {
    if (!this.#lines.includes(line)) throw new Error(`${this.#page} has no line ${line}`);
    const said = Object.entries(instead).reduce((text, [there, here]) => text.replaceAll(there, here), line);
    return `${said} ${more}`.trim();
  }

  /** Like `line`, for what must do; all that it printed. */
  async must(line: string, options: LineOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.line(line, options);
    if (code !== 0) throw new Error(`${this.#page}: ${line}: exit ${code}: ${stderr}`);
    return `${stdout}\n${stderr}`;
  }
}

const withoutComment = (line: string) => line.replace(/ {2,}#.*/, "").trimEnd();
