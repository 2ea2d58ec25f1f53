import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import type { AttachRequest, BootReport } from "../../../proto/gen/hps/v1/agent_pb.ts";
import type { Facts } from "../../../proto/values/facts.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { parseUuid } from "../../../proto/values/uuid.ts";
import { parseVersion, versionSkew } from "../../../proto/values/version.ts";
import { factsOf } from "../hosts/host-facts.ts";
import { parseBootReport } from "./agent-event.ts";

/** How an agent introduces itself. Nothing it says here widens what it may do: its facts are shown, and that is all. */
export interface ParsedHello {
  readonly runId: string;
  readonly version: string;
  readonly facts?: Facts;
  readonly boot?: BootReport;
  /** Milliseconds since its machine was started. */
  readonly uptimeMs?: number;
}

export function parseHello(request: AttachRequest | undefined, serverVersion: string): ParsedHello {
  if (request?.message.case !== "hello") throw new HpsError("invalid", "the first message of an agent is its Hello");
  const { runId, version, facts, boot, uptime } = request.message.value;
  const parsed = parseVersion(version);
  const skew = versionSkew(parseVersion(serverVersion), parsed);
  if (skew !== "served") {
    throw new HpsError("precondition", `hpsd ${serverVersion} does not serve agent ${version}: it is ${skew}`, {
      hint: "use an agent of the same minor version or the one before",
      details: { server: serverVersion, agent: version },
    });
  }
  return {
    ...{ runId: parseUuid(runId), version: parsed },
    ...(facts && { facts: factsOf(facts) }),
    ...(boot && { boot: parseBootReport(boot) }),
    ...(uptime && { uptimeMs: parseUptime(uptime) }),
  };
}

function parseUptime(uptime: Duration): number {
  const milliseconds = durationMs(uptime);
  if (milliseconds >= 0) return milliseconds;
  throw new HpsError("invalid", `a machine cannot have been up for ${milliseconds} ms`);
}
