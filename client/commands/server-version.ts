import { HpsError } from "../../proto/values/hps-error.ts";
import { VERSION } from "../../proto/values/program-version.ts";
import { parseVersion, versionSkew } from "../../proto/values/version.ts";
import type { Hps } from "../sdk/connect.ts";

/** A finished command waits no longer than this to learn the server's version. */
const LIMIT_MS = 500;

/** A sentence when hpsd does not serve this version of hpsctl. A server that does not answer in time says nothing. */
export async function skewWarningFrom(hps: Hps): Promise<string | undefined> {
  try {
    const { serverVersion } = await hps.identity.whoAmI({}, { timeoutMs: LIMIT_MS });
    return skewWarning(serverVersion);
  } catch (error) {
    if (error instanceof HpsError) return undefined;
    throw error;
  }
}

/** By the rule of proto/values/version.ts; a version that cannot be read says nothing. */
export function skewWarning(server: string): string | undefined {
  if (!/^\d{1,6}(\.\d{1,6}){2}$/.test(server)) return undefined;
  const skew = versionSkew(parseVersion(server), VERSION);
  if (skew === "served") return undefined;
  const advice = skew === "too-old" ? "update hpsctl" : "update hpsd, or use an hpsctl of its version";
  return `hpsd is ${server}, this hpsctl is ${VERSION}: ${advice}`;
}
