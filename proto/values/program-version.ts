import manifest from "../../package.json" with { type: "json" };
import { parseVersion } from "./version.ts";

/** The version of all programs of this repository: they are released together. */
export const VERSION = parseVersion(manifest.version);
