/** What must be so before a host is armed, so that nothing fails after its disk was written, and what arming writes. */
import { create } from "@bufbuild/protobuf";
import { InstallationState, StateChangeSchema } from "../../../proto/gen/hps/v1/installation_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { ImageRef } from "../../../proto/values/image-ref.ts";
import { safeText } from "../../../proto/values/safe-text.ts";
import type { Db, Tx } from "../../store/database.ts";
import { type HostRecord, hostById } from "../../store/hosts.ts";
import { insertInstallation, updateInstallation } from "../../store/installations.ts";
import type { Clock } from "../audit/audit.ts";
import type { Changes } from "../changes/changes.ts";
import { next, parseOpenState } from "../hosts/life-cycle.ts";
import { networkOrderOf, type TargetLink } from "../hosts/network-order.ts";
import { findImage } from "../images/find-image.ts";
import { refuseUnsigned } from "../images/image-trust.ts";
import type { ArmWish } from "./arm-request.ts";
import type { InstallationHooks } from "./installation-life.ts";
import { OperationRecord } from "./operation-record.ts";

export interface ArmingDeps {
  readonly clock: Clock;
  readonly changes: Changes;
  readonly hooks: Pick<InstallationHooks, "suspendHost">;
  /** Absent: hosts get their addresses by DHCP alone. */
  readonly targetLink: TargetLink | undefined;
}

export interface Arming {
  /** Of the new installation. */
  readonly id: string;
  readonly hostId: string;
  /** Name of the operator. */
  readonly by: string;
  readonly wish: ArmWish;
}

/** What may be armed. */
interface Armable {
  readonly host: HostRecord;
  /** What the image's name means now; empty without an image. */
  readonly imageDigest: string;
}

/** The host, if it may be armed with this: `precondition` and `not-found` name what stands against it. */
export async function armable(
  db: Db,
  { hostId, wish }: Pick<Arming, "hostId" | "wish">,
  targetLink: TargetLink | undefined,
): Promise<Armable> {
  const host = await hostById(db, hostId);
  if (host === undefined) throw new HpsError("not-found", `no host ${safeText(hostId)}`);
  next(stateOf(host), "arm");
  if (wish.image === "") return { host, imageDigest: "" };
  const imageDigest = await checkedImage(db, host, wish.image);
  networkOrderOf(host, targetLink);
  return { host, imageDigest };
}

/** Opens the window, in the caller's transaction. An installed system loses its certificate, but not to a rescue. */
export async function arm(tx: Tx, deps: ArmingDeps, { id, hostId, by, wish }: Arming): Promise<HostRecord> {
  const { clock, changes, hooks, targetLink } = deps;
  const { host, imageDigest } = await armable(tx, { hostId, wish }, targetLink);
  const { clusterId } = host;
  const now = clock();
  const { windowMs, ...order } = wish;
  const made = { id, hostId, clusterId, state: "armed", armedBy: by, windowEndAt: now + windowMs, createdAt: now };
  await insertInstallation(tx, { ...made, ...order, imageDigest });
  const record = new OperationRecord({ lastJournal: 0, lastLog: 0 }, now);
  const change = create(StateChangeSchema, { to: InstallationState.ARMED, event: "arm", actor: by });
  record.enter({ case: "change", value: change });
  await tx.batch([...record.take(tx, id), updateInstallation(tx, id, record.ends)]);
  await changes.note(tx, { kind: "installation", objectId: id, clusterId, deleted: false });
  await changes.note(tx, { kind: "host", objectId: hostId, clusterId, deleted: false });
  if (!wish.rescue) await hooks.suspendHost(tx, hostId);
  return host;
}

/** Why a host that was to restart into the network was not armed. One that was power-cycled now would boot its disk. */
export function notRestarted(error: unknown): unknown {
  if (!(error instanceof HpsError)) return error;
  const { code, message, details, cause } = error;
  return new HpsError(code, `${message}; the host is not armed`, {
    hint: "arm it without --reboot, then power-cycle the machine and let it boot from the network",
    ...{ details, cause },
  });
}

function stateOf({ installation, installedAt }: HostRecord) {
  if (installation !== undefined) return parseOpenState(installation.state);
  return installedAt === null ? "registered" : "installed";
}

/** Its digest: a name that is moved later moves no installation with it. */
async function checkedImage(db: Db, { cluster, clusterId }: HostRecord, name: ImageRef): Promise<string> {
  const image = await findImage(db, clusterId, name);
  if (image === undefined) {
    throw new HpsError("not-found", `cluster ${cluster} has no image ${name}`, {
      hint: "hpsctl image ls shows what there is, hpsctl image import adds one",
    });
  }
  await refuseUnsigned(db, clusterId, name, image);
  if (image.lacks.length === 0) return image.digest;
  throw new HpsError("precondition", `image ${name} cannot be installed: it has no ${image.lacks.join(", no ")}`, {
    hint: "import an image that boots by itself",
    details: { lacks: image.lacks.join(",") },
  });
}
