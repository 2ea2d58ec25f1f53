import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect, type Hps } from "../../client/sdk/connect.ts";
import { configText, hpsdArgv, type RealHpsd } from "../faults/real-hpsd.ts";
import { labFolder } from "./janitor.ts";
import { loopReleased } from "./loop-devices.ts";
import { startProgram } from "./program.ts";
import { run } from "./run.ts";

const READY = /hpsd is ready/;
/** In a mount namespace of its own, which ends with hpsd: its process is the shell's, by exec. */
const SERVE = `mount -t ext4 -o loop "$0" "$1" && "$2" "$3" check --config "$4" && exec "$2" "$3" serve --config "$4"`;

/** An hpsd that goes on from the disk of another one. */
export interface HpsdAfterCut extends AsyncDisposable {
  /** As the first operator of the other one. */
  readonly hps: Hps;
  /** Its state, as it is to be read from outside. */
  readonly state: string;
  /** Ends hpsd; rejects when it or its file system is not sound then. */
  readonly end: () => Promise<void>;
}

/**
 * Mounts a disk with an hpsd's state in the folder `hpsd`, has `hpsd check` look at it, and serves. `origin` is the hpsd that once was
 * begun with that state, and does not run. Rejects when the disk does not mount, when anything in it is not sound, or when hpsd does not start.
 */
export async function hpsdAfterCut(origin: RealHpsd, disk: string): Promise<HpsdAfterCut> {
  const place = await labFolder();
  const config = join(origin.folder, "after-cut.yaml");
  await writeFile(config, configText({ ...origin, state: join(place, "hpsd") }));
  const [node = "", main = ""] = hpsdArgv();
  const program = await startProgram({
    argv: ["unshare", "--mount", "--", "sh", "-c", SERVE, disk, place, node, main, config],
    readyLine: READY,
    readyMs: 60_000,
  });
  const opened: Hps[] = [];
  const close = async (signal?: NodeJS.Signals) => {
    for (const hps of opened.splice(0)) hps.close();
    return await program.stop(signal);
  };
  try {
    const hps = await connect({ environment: { HPSCONFIG: join(origin.folder, "hpsctl.yaml") } });
    opened.push(hps);
    return {
      hps,
      state: join(`/proc/${program.pid}/root`, place, "hpsd"),
      async end() {
        const code = await close();
        if (code !== 0) throw new Error(`hpsd ended with ${code}: ${program.output()}`);
        await loopReleased(disk);
        const { code: fsck, stdout } = await run(["e2fsck", "-fn", disk], { timeoutMs: 120_000 });
        if (fsck !== 0) throw new Error(`e2fsck: ${stdout}`);
      },
      [Symbol.asyncDispose]: async () => {
        await close("SIGKILL");
        await loopReleased(disk);
      },
    };
  } catch (error) {
    await close("SIGKILL");
    throw error;
  }
}
