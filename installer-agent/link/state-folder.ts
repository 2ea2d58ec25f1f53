import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { geteuid } from "node:process";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";

/** Where the agent keeps what must outlive its process. In installer mode that is memory, and gone with the machine. */
export interface StateFolder {
  readonly key: string;
  /** PEM, leaf first. */
  readonly chain: string;
  /** Where hpsd is and whom to believe. */
  readonly contact: string;
  readonly clock: string;
  /** Host mode: the reference of the installed image. */
  readonly image: string;
  /** Host mode: the id of the installation that made this system. */
  readonly installation: string;
  /** Folder of the direct way: its key, its list, its recordings. */
  readonly direct: string;
}

/** Makes the folder (0700) when it is missing; refuses one that others can enter. */
export async function openStateFolder(path: string): Promise<StateFolder> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new HpsError("precondition", `cannot make the state folder ${quote(path, 200)}`, { cause });
  }
  const { mode, uid } = await stat(path);
  if ((mode & 0o077) !== 0 || uid !== geteuid?.()) {
    throw new HpsError(
      "precondition",
      `the state folder ${quote(path, 200)} is open to others or belongs to someone else`,
      {
        hint: "give it to the agent's user alone: chmod 700",
      },
    );
  }
  return {
    key: join(path, "agent.key"),
    chain: join(path, "agent.crt"),
    contact: join(path, "contact.json"),
    clock: join(path, "clock.json"),
    image: join(path, "image"),
    installation: join(path, "installation"),
    direct: join(path, "direct"),
  };
}
