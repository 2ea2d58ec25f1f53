/** For tests: hpsd's and the agent's part when a terminal goes on. */
import { create } from "@bufbuild/protobuf";
import { ResumeShellSchema } from "../../../../proto/gen/hps/v1/agent_pb.ts";
import type { AgentLink } from "../agent-links.ts";
import { Shells, type ShellsDeps } from "../shells.ts";
import type { ShellsRig } from "../testing.ts";

/** What an agent says that has these bytes. */
export function asked(session: string, first: number, next: number, input = 0) {
  const offsets = { firstOffset: BigInt(first), nextOffset: BigInt(next), inputOffset: BigInt(input) };
  return create(ResumeShellSchema, { session, ...offsets });
}

/** The next message to the agent. */
export async function next(link: AgentLink) {
  const { value } = await link.toAgent[Symbol.asyncIterator]().next();
  return value;
}

/** Another hpsd on the same store and recordings. */
export async function restart(rig: ShellsRig, changes: Partial<ShellsDeps> = {}): Promise<Shells> {
  const shells = new Shells({ ...rig.deps, ...changes });
  await shells.recover();
  return shells;
}
