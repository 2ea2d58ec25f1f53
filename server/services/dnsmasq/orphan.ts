import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { HpsError } from "../../../proto/values/hps-error.ts";

const TRIES = 50;

/** Ends the dnsmasq that an earlier hpsd, killed without a chance to stop it, left running on the same configuration. */
export async function endOrphan(pidFile: string, conf: string): Promise<void> {
  const pid = Number((await readFile(pidFile, "utf8").catch(() => "")).trim());
  if (!Number.isSafeInteger(pid) || pid <= 1) return;
  for (let tried = 0; await runsWith(pid, conf); tried += 1) {
    if (tried === TRIES) throw new HpsError("precondition", `dnsmasq, process ${pid}, of an earlier run does not end`);
    process.kill(pid, tried < TRIES / 2 ? "SIGTERM" : "SIGKILL");
    await sleep(100);
  }
}

/** Whether that process is a dnsmasq on our file: the number alone may be another's by now. */
async function runsWith(pid: number, conf: string): Promise<boolean> {
  const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return line.split("\0").includes(`--conf-file=${conf}`);
}
