import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { HpsError } from "../../proto/values/hps-error.ts";

const run = promisify(execFile);
const OPTIONS = { timeout: 10_000, maxBuffer: 65_536, env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" } };

/** Sets the machine's clock to `time` (UTC milliseconds), and the one that runs while it is off: the installed system starts by that. Needs root. */
export async function setSystemClock(time: number): Promise<void> {
  const seconds = Math.round(time / 1000);
  try {
    await run("date", ["-u", "-s", `@${seconds}`], OPTIONS);
  } catch (cause) {
    throw new HpsError("denied", "the program date could not set the clock", { cause });
  }
  // A machine may have none, or one that cannot be set; the installation does not need it.
  await run("hwclock", ["-w", "-u"], OPTIONS).catch(() => undefined);
}
