import { release } from "node:os";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { readSmallFile } from "../../proto/config/private-file.ts";
import type { BootReportSchema } from "../../proto/gen/hps/v1/agent_pb.ts";

export interface BootSources {
  /** What the kernel was started with. */
  readonly commandLine: string;
  /** Holds the reference of the installed image. */
  readonly imageFile: string;
}

/** What was booted. That the agent runs and reaches hpsd is all it means by healthy. */
export async function bootReport({
  commandLine,
  imageFile,
}: BootSources): Promise<MessageInitShape<typeof BootReportSchema>> {
  const image = ((await readSmallFile(imageFile)) ?? "").trim().slice(0, 256);
  return { slot: slotOf(commandLine), kernel: release(), image, healthy: true, reason: "" };
}

/** The last `hps.slot=a` or `=b` of the kernel's command line; empty where HPS did not install. */
export function slotOf(commandLine: string): string {
  const values = commandLine.split(/\s+/).map((word) => /^hps\.slot=([ab])$/.exec(word)?.[1]);
  return values.findLast((value) => value !== undefined) ?? "";
}
