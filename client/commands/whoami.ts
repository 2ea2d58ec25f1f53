import { WHOAMI_VIEW } from "../output/identity-view.ts";
import { printOne } from "../output/print.ts";
import type { Call } from "./call.ts";

export async function whoami(call: Call): Promise<number> {
  const hps = await call.connect();
  await printOne(call, WHOAMI_VIEW, await hps.identity.whoAmI({}, call.once));
  return 0;
}
