import { type Brand, branded } from "./brand.ts";
import { HpsError } from "./hps-error.ts";
import { quote } from "./safe-text.ts";

/** The name of a cluster, operator, profile or context: `lab-1`. */
export type ObjectName = Brand<string, "ObjectName">;

const NAME = /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Reads 1 to 63 of a-z, 0-9 and inner hyphens, a letter first. `what` names the kind in the error. Case is not changed: these names are not DNS names. */
export function parseObjectName(text: string, what = "name"): ObjectName {
  if (!NAME.test(text)) {
    throw new HpsError("invalid", `not a ${what}: ${quote(text)}`, {
      hint: "use 1 to 63 of a-z, 0-9 and inner hyphens, a letter first",
    });
  }
  return branded<"ObjectName", string>(text);
}
