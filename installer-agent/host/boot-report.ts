import { release } from "node:os";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { readSmallFile } from "../../proto/config/private-file.ts";
import type { BootReportSchema } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { Health } from "../plan/health.ts";

export interface BootSources {
  /** What the kernel was started with. */
  readonly commandLine: string;
  /** Holds the reference of the installed image. */
  readonly imageFile: string;
}

/** What was booted; it does not change while the agent runs. */
export interface Booted {
  readonly slot: string;
  readonly kernel: string;
  readonly image: string;
}

export async function readBooted({ commandLine, imageFile }: BootSources): Promise<Booted> {
  const image = ((await readSmallFile(imageFile)) ?? "").trim().slice(0, 256);
  return { slot: slotOf(commandLine), kernel: release(), image };
}

/** hpsd takes 4 kB. */
const LONGEST_REASON = 1_000;

/** What was booted and how it is. */
export function bootReport(booted: Booted, { healthy, reason }: Health): MessageInitShape<typeof BootReportSchema> {
  return { ...booted, healthy, reason: reason.slice(0, LONGEST_REASON).toWellFormed() };
}

/** The last `hps.slot=a` or `=b` of the kernel's command line; empty where HPS did not install. */
export function slotOf(commandLine: string): string {
  const values = commandLine.split(/\s+/).map((word) => /^hps\.slot=([ab])$/.exec(word)?.[1]);
  return values.findLast((value) => value !== undefined) ?? "";
}
