import { cpSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { AGENT_OPTIONS, BUNDLE_OPTIONS, UNPACK_WORKER } from "../../client/build/installer/agent-bundle.ts";
import { NATIVE_FILE, nativeFilePath } from "../../proto/tree/native/library.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

/** Makes `unpack-image-here` a program in `folder` as the agent is shipped, whose memory is its own: nothing is left of the sources' types. */
export async function bundleUnpacker(folder: string): Promise<string> {
  const common = { absWorkingDir: ROOT, legalComments: "none" as const };
  const outfile = join(folder, "unpack-image-here.mjs");
  await build({ ...BUNDLE_OPTIONS, ...common, entryPoints: ["test/faults/unpack-image-here.ts"], outfile });
  const worker = join(folder, "hps-unpack-worker.cjs");
  await build({ ...AGENT_OPTIONS, ...common, entryPoints: [UNPACK_WORKER], outfile: worker });
  cpSync(nativeFilePath(), join(folder, NATIVE_FILE));
  return outfile;
}
