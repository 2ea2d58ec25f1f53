import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { BUNDLE_OPTIONS } from "../../../client/build/installer/agent-bundle.ts";
import type { FileRef } from "../../../installer-agent/link/file-request.ts";
import { type CpioEntry, cpioArchive, DIRECTORY, READABLE } from "../../../proto/tree/cpio.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { GuestPlan } from "./tasks.ts";

const ROOT = new URL("../../..", import.meta.url).pathname;

/** How hpsd's configuration names a file. */
export function fileRef(content: Buffer): FileRef {
  return { digest: createHash("sha256").update(content).digest("hex"), sizeBytes: content.length };
}

/** Writes the installer's initramfs with the guest's program in the place of the agent, its plan, and the files that it fetches. */
export async function writeStepsInitrd(
  file: string,
  {
    installer,
    plan,
    files,
    named = [],
  }: {
    readonly installer: string;
    readonly plan: GuestPlan;
    readonly files: readonly Buffer[];
    /** Files whose names are not their own digests. */
    readonly named?: readonly { readonly name: string; readonly bytes: Buffer }[];
  },
): Promise<void> {
  const entries: CpioEntry[] = [
    { path: "etc/hps/claim.json", mode: READABLE, data: Buffer.from("{}") },
    { path: "opt/hps/hps-agent.js", mode: READABLE, data: await program() },
    { path: "steps", mode: DIRECTORY },
    { path: "steps/plan.json", mode: READABLE, data: Buffer.from(JSON.stringify(plan)) },
    ...files.map((data) => ({ path: `steps/${fileRef(data).digest}`, mode: READABLE, data })),
    ...named.map(({ name, bytes }) => ({ path: `steps/${name}`, mode: READABLE, data: bytes })),
  ];
  await writeFile(file, Buffer.concat([await readFile(join(installer, "initrd.img")), cpioArchive(entries)]));
}

async function program(): Promise<Uint8Array> {
  const entryPoints = ["test/lab/steps-guest/guest.ts"];
  const made = { outfile: "guest.js", write: false, legalComments: "none" } as const;
  const { outputFiles } = await build({ ...BUNDLE_OPTIONS, absWorkingDir: ROOT, entryPoints, ...made });
  const [file] = outputFiles;
  if (file === undefined) throw new HpsError("internal", "esbuild gave no file");
  return file.contents;
}
