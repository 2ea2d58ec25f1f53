import { writeFileSync } from "node:fs";
import path from "node:path";
import { type Program, startProgram } from "../lab/program.ts";
import type { Fleet } from "./fleet.ts";

const READY = /bare is ready: (\d+)/;

/** Starts the server compared with, under a certificate of the same authority. */
export async function startBare(folder: string, { ca, server }: Fleet): Promise<{ program: Program; port: number }> {
  const file = path.join(folder, "bare.json");
  writeFileSync(file, JSON.stringify({ ca, ...server }), { mode: 0o600 });
  const argv = [process.execPath, path.join(import.meta.dirname, "bare-grpc.ts"), file];
  const program = await startProgram({ argv, readyLine: READY });
  return { program, port: Number(READY.exec(program.output())?.[1]) };
}
