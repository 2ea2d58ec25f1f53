import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { endProcessSession, startOf } from "./process-session.ts";

/** What a process number means is over with each start of the machine. */
const BOOT_ID = "/proc/sys/kernel/random/boot_id";

/**
 * One file for each process session that is open, named by its leader: so that the next agent ends what one that was
 * killed left running.
 */
export class SessionMarks {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async set(leader: number): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await writeFile(join(this.#folder, String(leader)), markOf(await bootId(), await startOf(leader)));
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
    const boot = await bootId();
    const now = await startOf(leader);
    // Without its leader a session keeps its number as long as anything is in it.
    const isOurs = now === undefined ? marked.startsWith(markOf(boot, "")) : marked === markOf(boot, now);
    if (isOurs) await endProcessSession(leader, graceMs);
    await this.remove(leader);
  }
}

async function bootId(): Promise<string> {
  return (await readFile(BOOT_ID, "utf8")).trim();
}

function markOf(boot: string, start: number | undefined | ""): string {
  return `${boot} ${start ?? ""}`;
}
