import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { endProcessSession, startOf } from "./process-session.ts";

/**
 * One file for each process session that is open, named by its leader, in a folder that is gone when the machine restarts:
 * so that the next agent ends what one that was killed left running.
 */
export class SessionMarks {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async set(leader: number): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await writeFile(join(this.#folder, String(leader)), `${await startOf(leader)}`);
  }

  async remove(leader: number): Promise<void> {
    await rm(join(this.#folder, String(leader)), { force: true });
  }

  /** Ends what is left, in `graceMs`. A leader's number may be another's by now: that one is let be. */
  async endLeft(graceMs: number): Promise<void> {
    const names = await readdir(this.#folder).catch(() => []);
    const leaders = names.map(Number).filter((leader) => Number.isSafeInteger(leader) && leader > 1);
    await Promise.all(leaders.map((leader) => this.#end(leader, graceMs)));
  }

  async #end(leader: number, graceMs: number): Promise<void> {
    const marked = await readFile(join(this.#folder, String(leader)), "utf8").catch(() => "");
    const now = await startOf(leader);
    // Without its leader a session keeps its number as long as anything is in it.
    if (now === undefined || `${now}` === marked) await endProcessSession(leader, graceMs);
    await this.remove(leader);
  }
}
