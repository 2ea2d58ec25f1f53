import { constants } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { FileRef } from "../link/file-request.ts";
import { readMounts, runsFromMemory } from "../system/mounts.ts";
import { runTool } from "../system/tool.ts";
import type { StepContext } from "./step.ts";

type ToolsContext = Omit<StepContext, "progress">;

/** The programs that installing needs and the installer's small initramfs has not. */
export interface Tools {
  /** Fetches and mounts them where that is not done. */
  open(context: ToolsContext): Promise<void>;
}

/** In memory: the installer has nothing else. */
const FOLDER = "/run/hps-tools";
const PLACE = "/usr";
const MOUNT_MS = 30_000;

/** Steps and shells may want them at one time. */
let last: Promise<unknown> = Promise.resolve();

/** The tools image that the configuration names, mounted as the installer's /usr. */
export const toolsImage: Tools = {
  open: async (context) => {
    const opened = last.then(async () => await openTools(context));
    last = opened.catch(() => undefined);
    await opened;
  },
};

async function openTools(context: ToolsContext): Promise<void> {
  const { tools } = await context.job.configuration(context.signal);
  const mounts = await readMounts();
  refuseUnlessFromMemory(mounts);
  if (mounts.findLast(({ place }) => place === PLACE)?.type === "squashfs") return;
  if (tools === undefined) {
    throw new HpsError("precondition", "the server has no tools image, without which nothing can be installed", {
      hint: "hpsctl installer-image import DIR, then hpsctl installation retry HOST",
    });
  }
  await mountImage(await fetched(tools, context), context);
}

/** For the shells of this machine, also where nothing is to be installed: opens the tools where it can have some. */
export async function offerTools(context: ToolsContext): Promise<void> {
  const { job, signal, log } = context;
  if (!runsFromMemory(await readMounts())) return;
  if ((await job.configuration(signal)).tools === undefined)
    log("the server has no tools image: shells have busybox alone");
  else await job.tools.open(context);
}

/** Throws unless this is a machine that runs from memory: on any other, disks and file systems are in use. */
export function refuseUnlessFromMemory(mounts: Awaited<ReturnType<typeof readMounts>>): void {
  if (runsFromMemory(mounts)) return;
  throw new HpsError("precondition", "this machine does not run from memory, so its disks are not touched", {
    hint: "boot the installer from the network",
  });
}

/** The image as a file whose digest was right when it got its name. */
async function fetched(tools: FileRef, { job, signal, log }: ToolsContext): Promise<string> {
  const file = join(FOLDER, `${tools.digest}.squashfs`);
  const part = `${file}.part`;
  await rm(FOLDER, { recursive: true, force: true });
  await mkdir(FOLDER, { recursive: true, mode: 0o700 });
  const { O_WRONLY, O_CREAT, O_EXCL } = constants;
  {
    await using out = await open(part, O_WRONLY | O_CREAT | O_EXCL, 0o400);
    for await (const chunk of job.files.read(tools, { what: "the tools image", signal, log }))
      await out.writeFile(chunk);
  }
  await rename(part, file);
  log(`the tools image ${tools.digest.slice(0, 12)}… is here, ${tools.sizeBytes} bytes`);
  return file;
}

async function mountImage(file: string, { signal, log }: ToolsContext): Promise<void> {
  await mkdir(PLACE, { recursive: true });
  const options = { signal, log, limitMs: MOUNT_MS };
  await runTool(["mount", "-t", "squashfs", "-o", "ro,loop", file, PLACE], options);
}
