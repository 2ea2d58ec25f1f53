import type { Installation } from "../../proto/gen/hps/v1/installation_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { HpsdRack } from "../lab/hpsd-rack.ts";

/** Resolves as soon as hpsd tells of an installation that is as wanted. */
export async function until(
  { hps }: Pick<HpsdRack, "hps">,
  id: string,
  limitMs: number,
  isWanted: (installation: Installation) => boolean,
): Promise<Installation> {
  const late = AbortSignal.timeout(limitMs);
  try {
    for await (const { installation } of hps.watchInstallation(id, { signal: late })) {
      if (installation !== undefined && isWanted(installation)) return installation;
    }
  } catch (error) {
    if (!late.aborted) throw error;
  }
  const { state, reason } = await hps.installations.getInstallation({ installation: id });
  throw new HpsError(
    "deadline",
    `the installation ${id} did not get on within ${limitMs / 1000} s: state ${state} ${reason}`,
  );
}

/** Its agent is attached, as hpsd knows it. */
export async function attached(rack: Pick<HpsdRack, "hps">, id: string, limitMs: number): Promise<void> {
  await until(rack, id, limitMs, (installation) => installation.attached);
}
