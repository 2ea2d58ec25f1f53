import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { HpsError } from "../../../proto/values/hps-error.ts";

/** The installed dnsmasq's version, `2.90`; throws `precondition` where there is none that runs. */
export async function dnsmasqVersion(program = "dnsmasq"): Promise<string> {
  const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
  const missing = (cause?: unknown) =>
    new HpsError("precondition", "dnsmasq does not run", { hint: "apt-get install dnsmasq-base", cause });
  const { stdout } = await promisify(execFile)(program, ["--version"], { timeout: 10_000, env }).catch(
    (cause: unknown) => {
      throw missing(cause);
    },
  );
  const version = /^Dnsmasq version (\S+)/.exec(stdout)?.[1];
  if (version === undefined) throw missing();
  return version;
}
