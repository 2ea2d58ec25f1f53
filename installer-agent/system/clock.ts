import { execFile } from "node:child_process";
import { HpsError } from "../../proto/values/hps-error.ts";

/** Sets the machine's clock to `time` (UTC milliseconds). Needs root. */
export function setSystemClock(time: number): Promise<void> {
  const seconds = Math.round(time / 1000);
  const options = { timeout: 10_000, maxBuffer: 65_536, env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" } };
  return new Promise((resolve, reject) => {
    execFile("date", ["-u", "-s", `@${seconds}`], options, (cause) => {
      if (cause === null) resolve();
      else reject(new HpsError("denied", "the program date could not set the clock", { cause }));
    });
  });
}
