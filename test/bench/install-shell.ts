import { HpsError } from "../../proto/values/hps-error.ts";
import type { InstallRack } from "../lab/install-rack.ts";

export interface InInstaller {
  readonly host: string;
  /** Of the installer's shell. */
  readonly script: string;
  readonly limitMs: number;
}

/** What a script printed on the machine that is being installed, by the real `hpsctl installer-shell`; its failure is thrown. */
export async function inInstaller(
  rack: Pick<InstallRack, "follow">,
  { host, script, limitMs }: InInstaller,
): Promise<string> {
  const program = await rack.follow(["installer-shell", host, "--", "sh", "-c", script]);
  const timer = setTimeout(() => void program.stop(), limitMs);
  const code = await program.ended;
  clearTimeout(timer);
  if (code !== 0) throw new HpsError("internal", `in the installer, exit ${code} of ${script}:\n${program.output()}`);
  return program.output();
}
