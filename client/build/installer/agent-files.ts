import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { EXECUTABLE, READABLE } from "../../../proto/tree/cpio.ts";
import { NATIVE_FILE, nativeFilePath } from "../../../proto/tree/native/library.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { type AgentBundle, agentBundle } from "./agent-bundle.ts";
import { type CompileOrder, compiledProgram } from "./compiled-program.ts";
import { stripped } from "./elf.ts";
import type { StagedFile } from "./staged-file.ts";

/** One part of the agent: where it comes from is not the packages, so the lock names its digest. */
export interface AgentPart {
  readonly name: string;
  readonly sha256: string;
  readonly bytes: Uint8Array;
  readonly mode: number;
}

/** Where the agent lies in the installer. */
const AGENT_FOLDER = "opt/hps";

const here = createRequire(import.meta.url);

/** All parts of an agent. */
export interface AgentParts {
  readonly parts: readonly AgentPart[];
  /** When the bundle says it was built, where it was made now. */
  readonly built: string | undefined;
}

/** Node, the bundled agent and its native files: those that this hpsctl itself runs on. `asBuilt` is what a bundle made now says of its time. */
export async function agentParts(asBuilt: string | undefined, order: CompileOrder): Promise<AgentParts> {
  const { program, launcher, worker, built } = await bundle(asBuilt);
  const parts = [
    part("node", stripped(await readFile(process.execPath)), EXECUTABLE),
    part("hps-agent.js", launcher, READABLE),
    part("hps-agent.cjs", program, READABLE),
    part("hps-unpack-worker.cjs", worker, READABLE),
    part("hps-agent.cache", await compiledProgram(program, order), READABLE),
    part(NATIVE_FILE, await readFile(nativeFilePath()), READABLE),
    part("pty.node", await readFile(nativeFile("node-pty/build/Release/pty.node", "pty.node")), READABLE),
  ];
  return { parts, built };
}

/** The parts as files of the installer. */
export function agentFiles(parts: readonly AgentPart[]): readonly StagedFile[] {
  return parts.map(({ name, mode, bytes }) => ({ path: `${AGENT_FOLDER}/${name}`, mode, read: () => bytes }));
}

/** Where the programs among the agent's parts lie here, for finding their libraries. */
export function agentPrograms(): readonly string[] {
  return [process.execPath, nativeFilePath(), nativeFile("node-pty/build/Release/pty.node", "pty.node")];
}

/** Beside this program in the package; made from the sources in a checkout. */
async function bundle(asBuilt: string | undefined): Promise<Omit<AgentBundle, "built"> & Pick<AgentParts, "built">> {
  for (const folder of [".", ".."]) {
    const file = (name: string) => join(import.meta.dirname, folder, name);
    if (!existsSync(file("hps-agent.cjs"))) continue;
    const [program, launcher] = [await readFile(file("hps-agent.cjs")), await readFile(file("hps-agent.js"))];
    return { program, launcher, worker: await readFile(file("hps-unpack-worker.cjs")), built: undefined };
  }
  return await agentBundle(join(import.meta.dirname, "../../.."), asBuilt);
}

function nativeFile(request: string, name: string): string {
  const beside = join(import.meta.dirname, name);
  if (existsSync(beside)) return beside;
  try {
    return here.resolve(request);
  } catch (cause) {
    throw new HpsError(
      "precondition",
      `${request} is not installed, and an installer without it would lack its shell`,
      {
        hint: "install a C++ compiler and run npm install again",
        cause,
      },
    );
  }
}

function part(name: string, bytes: Uint8Array, mode: number): AgentPart {
  return { name, bytes, mode, sha256: createHash("sha256").update(bytes).digest("hex") };
}
