import { constants } from "node:fs";
import { copyFile, lstat, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { AGENT_LIBRARIES, AGENT_LOADER } from "../../proto/values/agent-program.ts";
import { HpsError } from "../../proto/values/hps-error.ts";

/** Where the installer keeps what its own agent runs on. */
export interface AgentPlace {
  /** Node, the agent and its native files. */
  readonly programs: string;
  readonly libraries: string;
  /** The C library's loader. */
  readonly loader: string;
}

export const INSTALLER_AGENT: AgentPlace = {
  programs: "/opt/hps",
  libraries: "/lib/x86_64-linux-gnu",
  loader: "/lib64/ld-linux-x86-64.so.2",
};

const NEEDED = ["node", "hps-agent.js", "hps-agent.cjs", "hps-unpack-worker.cjs"];

/**
 * Copies the agent that runs now, with the libraries it runs on, to `folder`: it is known to work, and needs nothing of the
 * image. The new folder takes the place of an old one whole. Gives the bytes copied.
 */
export async function copyAgent(folder: string, { programs, libraries, loader }: AgentPlace): Promise<number> {
  const fresh = `${folder}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(join(fresh, AGENT_LIBRARIES), { recursive: true, mode: 0o755 });
  const names = await filesOf(programs);
  const missing = NEEDED.find((name) => !names.includes(name));
  if (missing !== undefined) throw noAgent(programs, missing);
  let bytes = 0;
  for (const name of names) bytes += await copySynced(join(programs, name), join(fresh, name));
  for (const name of await filesOf(libraries)) {
    bytes += await copySynced(join(libraries, name), join(fresh, AGENT_LIBRARIES, name));
  }
  await rm(join(fresh, AGENT_LOADER), { force: true });
  bytes += await copySynced(loader, join(fresh, AGENT_LOADER));
  await rm(folder, { recursive: true, force: true });
  await rename(fresh, folder);
  return bytes;
}

/** Names of the files in a folder, and of the links to files. */
async function filesOf(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => []);
  const kinds = await Promise.all(names.map((name) => stat(join(folder, name)).catch(() => undefined)));
  return names.filter((_, at) => kinds[at]?.isFile() === true).toSorted();
}

async function copySynced(from: string, to: string): Promise<number> {
  await copyFile(from, to, constants.COPYFILE_EXCL);
  await using file = await open(to, "r+");
  await file.chmod((await lstat(to)).mode & 0o111 ? 0o755 : 0o644);
  await file.sync();
  return (await file.stat()).size;
}

function noAgent(folder: string, name: string): HpsError {
  return new HpsError(
    "precondition",
    `the installer has no ${basename(name)} in ${folder} to give the installed system`,
    {
      hint: "boot the installer that hpsctl installer-image build makes",
    },
  );
}
