import { settlesWithin } from "../../proto/rpc/time-limit.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseVersion, versionSkew } from "../../proto/values/version.ts";
import type { Hps } from "../sdk/connect.ts";
import { VERSION } from "../version.ts";

/** How long a finished command waits for the answer, which as a rule came before its own. */
const LATE_MS = 250;

/** Asks the server's version beside the command's own calls, to tell when the two do not belong together. */
export class ServerVersion {
  readonly #answer: Promise<void>;
  readonly #cancel = new AbortController();
  #server: string | undefined;

  constructor(hps: Hps) {
    this.#answer = this.#ask(hps);
  }

  /** A sentence when hpsd does not serve this version of hpsctl. */
  async warning(): Promise<string | undefined> {
    await settlesWithin(this.#answer, LATE_MS);
    this.#cancel.abort();
    await this.#answer;
    return this.#server === undefined ? undefined : skewWarning(this.#server);
  }

  /** A server that cannot be asked says so to the command itself. */
  async #ask(hps: Hps): Promise<void> {
    try {
      const { serverVersion } = await hps.identity.whoAmI({}, { signal: this.#cancel.signal });
      this.#server = serverVersion;
    } catch (error) {
      if (!(error instanceof HpsError)) throw error;
    }
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
