import type { BootReport } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { Tx } from "../../store/database.ts";
import { selectOpenOf } from "../../store/installations.ts";
import { type BootState, selectHostSayings, updateHostReport } from "../../store/installed-host.ts";
import { actorOfCaller } from "../audit/audit.ts";
import { actorOf, type Caller, type HostPrincipal } from "../identity/principal.ts";
import type { MessageDeps } from "./agent-messages.ts";

/** Certificates are dated back by so much (certs/authority.ts). */
export const BACKDATING_MS = 60_000;
const SECOND = 1_000;

/**
 * Whether the system that attaches may: `precondition` while an installation holds its host that does not wait for it. The
 * first attach of what was installed makes its certificate valid; a rescue leaves an installed system alone.
 */
export async function admitHost(
  tx: Tx,
  validateWaiting: (tx: Tx, hostId: string) => Promise<void>,
  { hostId, waiting = false, certificate }: HostPrincipal,
): Promise<void> {
  const open = await selectOpenOf(tx, hostId);
  if ((open === undefined || open.rescue) && !waiting) return;
  // A certificate tells its time in whole seconds.
  const isOlder = open !== undefined && certificate.notBefore + BACKDATING_MS + SECOND <= open.createdAt;
  if (open?.state !== "rebooting" || isOlder) {
    const state = open?.state ?? "ended";
    throw new HpsError("precondition", `no installation of host ${hostId} waits for this system: ${state}`, {
      hint: "a system that was not installed to its end must be installed again",
      details: { state },
    });
  }
  if (waiting) await validateWaiting(tx, hostId);
}

/** Stores what the installed system says of itself. Healthy, it is what its installation ends with; else it says why not. */
export async function takeBootReport(
  tx: Tx,
  { clock, changes, life, audit }: MessageDeps,
  caller: Caller<HostPrincipal>,
  boot: BootReport,
): Promise<void> {
  const { hostId, clusterId } = caller.principal;
  const bootJson = bootJsonOf(boot);
  const { boot: before } = await selectHostSayings(tx, hostId);
  if (before === undefined || bootJsonOf(before) !== bootJson) {
    await updateHostReport(tx, hostId, { bootJson, updatedAt: clock() });
    await changes.note(tx, { kind: "host", objectId: hostId, clusterId, deleted: false });
  }
  const open = await selectOpenOf(tx, hostId);
  if (open?.state !== "rebooting") return;
  const reason = boot.healthy ? "" : `the installed system is not healthy: ${boot.reason}`;
  if (!boot.healthy && reason === open.reason) return;
  const event = boot.healthy ? "report" : "ail";
  await life.apply(tx, open.id, event, { actor: actorOf(caller), reason });
  const details = { host: hostId, event };
  const subject = { target: `installation:${open.id}`, clusterId, reason, details };
  await audit.allowed(tx, actorOfCaller(caller), subject);
}

/** As it is kept in the host's row. */
function bootJsonOf({ slot, kernel, image, healthy, reason }: BootState): string {
  return JSON.stringify({ slot, kernel, image, healthy, reason });
}
