import manifest from "../package.json" with { type: "json" };
import { parseVersion } from "../proto/values/version.ts";

/** Version of hpsctl and of the SDK; sent with every call. */
export const VERSION = parseVersion(manifest.version);
