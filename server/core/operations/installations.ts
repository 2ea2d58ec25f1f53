import { HpsError } from "../../../proto/values/hps-error.ts";
import { safeText } from "../../../proto/values/safe-text.ts";
import { newUuid } from "../../../proto/values/uuid.ts";
import type { Db, HpsStore, Tx } from "../../store/database.ts";
import {
  type InstallationQuery,
  type InstallationRow,
  selectInstallation,
  selectOpenOf,
  selectOverdue,
  updateInstallation,
} from "../../store/installations.ts";
import { selectInstalledHost } from "../../store/installed-host.ts";
import type { LogLineRow } from "../../store/log-lines.ts";
import { type Audit, actorOfCaller } from "../audit/audit.ts";
import { type HostEvent, next, type OpenState, parseOpenState } from "../hosts/life-cycle.ts";
import { actorOf, type Caller } from "../identity/principal.ts";
import {
  type ArmRequest,
  type ArmWish,
  parseArmRequest,
  parseWipeSerials,
  type WipePermission,
} from "./arm-request.ts";
import { type ArmingDeps, arm, armable, notRestarted } from "./arming.ts";
import { type ChangedBy, InstallationLife, type LifeDeps } from "./installation-life.ts";
import { type InstallationView, type ViewSources, viewInstallations } from "./installation-view.ts";
import { MAX_REASON_BYTES } from "./limits.ts";
import { setRebootPaused } from "./reboot-pause.ts";
import { type Seen, type WatchDeps, watchJournal, watchLog } from "./watch.ts";

export interface InstallationsDeps extends LifeDeps, ViewSources, Pick<ArmingDeps, "targetLink"> {
  readonly store: HpsStore;
  readonly audit: Audit;
}

export interface ArmOptions {
  /** Restart the installed system into the network first, as soon as it is sure that the host can be armed. */
  readonly reboot?: boolean;
}

/** The installation that holds a host. */
export interface OpenInstallation extends Omit<InstallationRow, "state"> {
  readonly state: OpenState;
}

const SWEEP_PAGE = 100;
const NO_WIPE: WipePermission = { wipe: false, wipeDiskSerials: [] };
const ALL = { clusters: "all", limit: 1 } as const;

/** Installations: the first kind of operation. */
export class Installations extends InstallationLife {
  readonly #deps: InstallationsDeps;

  constructor(deps: InstallationsDeps) {
    super(deps);
    this.#deps = deps;
  }

  /**
   * Opens the window in which the host may be installed. `not-found` for an image the cluster has not; `precondition` while
   * another installation holds the host, or when it could not be installed in the end. Then nothing is restarted either.
   */
  async arm(
    caller: Caller,
    hostId: string,
    request: ArmRequest,
    { reboot = false }: ArmOptions = {},
  ): Promise<InstallationView> {
    const { store, orders, targetLink } = this.#deps;
    const wish = parseArmRequest(request);
    const id = newUuid();
    if (reboot) {
      await store.read((db) => armable(db, { hostId, wish }, targetLink));
      await orders.reboot(hostId, true).catch((error: unknown) => {
        throw notRestarted(error);
      });
    }
    await store.write(async (tx) => {
      const { clusterId } = await arm(tx, this.#deps, { id, hostId, by: nameOf(caller), wish });
      await this.#audit(tx, caller, {
        id,
        clusterId,
        details: { host: hostId, ...orderOf(wish), reboot: String(reboot) },
      });
    });
    return await this.get(id);
  }

  /** Closes the window; `precondition` once a machine has enrolled. */
  async disarm(caller: Caller, hostId: string): Promise<void> {
    await this.#deps.store.write(async (tx) => {
      const open = await selectOpenOf(tx, hostId);
      if (open === undefined) next(await this.#stateOf(tx, hostId), "disarm");
      else await this.#operate(tx, caller, open, { event: "disarm" });
    });
  }

  async cancel(caller: Caller, id: string, reason: string): Promise<InstallationView> {
    return await this.#operateOn(caller, id, { event: "cancel", reason: parseReason(reason) });
  }

  /** Lets an interrupted or failed installation go on from the first step that is not done; what may be wiped is added. */
  async retry(caller: Caller, id: string, permission: WipePermission = NO_WIPE): Promise<InstallationView> {
    const wipeDiskSerials = parseWipeSerials(permission.wipeDiskSerials);
    return await this.#operateOn(caller, id, { event: "retry", permission: { ...permission, wipeDiskSerials } });
  }

  /** Whether the machine waits when all steps are done. Any number of times. */
  async pauseReboot(caller: Caller, id: string, paused: boolean): Promise<InstallationView> {
    await this.#deps.store.write(async (tx) => {
      const row = await this.#existing(tx, id);
      await setRebootPaused(tx, this.#deps, row, { paused, by: { actor: nameOf(caller) } });
      const details = { host: row.hostId, paused: String(paused) };
      await this.#audit(tx, caller, { id, clusterId: row.clusterId, details });
    });
    return await this.get(id);
  }

  /** Lifts a freeze; what machine it is, is asked anew. */
  async unfreeze(caller: Caller, id: string): Promise<InstallationView> {
    return await this.#operateOn(caller, id, { event: "unfreeze" });
  }

  async get(id: string): Promise<InstallationView> {
    const found = await this.#deps.store.read((db) => this.#view(db, id));
    if (found === undefined) throw new HpsError("not-found", `no installation ${safeText(id)}`);
    return found;
  }

  /** Newest first. */
  async list(query: InstallationQuery): Promise<InstallationView[]> {
    return await this.#deps.store.read((db) => viewInstallations(db, query, this.#deps));
  }

  /** The installation that holds the host, if any. */
  async openOf(db: Db, hostId: string): Promise<OpenInstallation | undefined> {
    const row = await selectOpenOf(db, hostId);
    return row && { ...row, state: parseOpenState(row.state) };
  }

  /** The journal after a sequence, then what comes, until the installation has ended and all was given. */
  watch(id: string, after: number, signal: AbortSignal): AsyncGenerator<Seen<InstallationView>, void, void> {
    return watchJournal(this.#watchDeps(), { id, after, signal });
  }

  /** The log after a sequence; with `follow`, until the installation has ended. */
  watchLog(
    id: string,
    options: { readonly after: number; readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncGenerator<readonly LogLineRow[], void, void> {
    return watchLog(this.#watchDeps(), { id, ...options });
  }

  /** Ends what no machine came for in time; how many. One that cannot be ended does not keep the others. */
  async expireOverdue(): Promise<number> {
    const { store, clock } = this.#deps;
    const states = ["armed", "awaiting-approval"];
    const overdue = await store.read((db) => selectOverdue(db, { now: clock(), states, limit: SWEEP_PAGE }));
    for (const id of overdue) {
      await store.write(async (tx) => {
        const [row] = await viewInstallations(tx, { ...ALL, id }, this.#deps);
        // It may have been enrolled or disarmed since it was read.
        if (row === undefined || row.outcome !== "open" || !states.includes(row.state)) return;
        await this.apply(tx, id, "expire", { actor: "hpsd", reason: "no machine enrolled within the window" });
        const who = { actor: "hpsd", action: "expire", address: "" };
        await this.#deps.audit.allowed(tx, who, { target: `installation:${id}`, clusterId: row.clusterId });
      });
    }
    return overdue.length;
  }

  async #operateOn(caller: Caller, id: string, what: Operation): Promise<InstallationView> {
    await this.#deps.store.write(async (tx) => await this.#operate(tx, caller, await this.#existing(tx, id), what));
    return await this.get(id);
  }

  async #existing(tx: Tx, id: string): Promise<InstallationRow> {
    const row = await selectInstallation(tx, id);
    if (row === undefined) throw new HpsError("not-found", `no installation ${safeText(id)}`);
    return row;
  }

  async #operate(tx: Tx, caller: Caller, row: InstallationRow, what: Operation): Promise<void> {
    const { event, reason, permission = NO_WIPE } = what;
    const by: ChangedBy = { actor: nameOf(caller), ...(reason !== undefined && reason !== "" && { reason }) };
    await this.#permit(tx, row, permission);
    await this.apply(tx, row.id, event, by);
    const details = { host: row.hostId, event, ...wipeText(permission) };
    await this.#audit(tx, caller, { id: row.id, clusterId: row.clusterId, details, ...(reason && { reason }) });
  }

  async #audit(tx: Tx, caller: Caller, { id, ...subject }: Audited): Promise<void> {
    await this.#deps.audit.allowed(tx, actorOfCaller(caller), { target: `installation:${id}`, ...subject });
  }

  /** Before the agent is told to go on: it asks for its configuration then. */
  async #permit(tx: Tx, row: InstallationRow, { wipe, wipeDiskSerials }: WipePermission): Promise<void> {
    const added = wipeDiskSerials.filter((serial) => !row.wipeDiskSerials.includes(serial));
    if (!wipe && added.length === 0) return;
    const all = parseWipeSerials([...row.wipeDiskSerials, ...added]);
    await updateInstallation(tx, row.id, { wipe: wipe || row.storage.wipe, wipeDiskSerials: all }).execute();
  }

  async #stateOf(db: Db, hostId: string) {
    const open = await selectOpenOf(db, hostId);
    if (open !== undefined) return parseOpenState(open.state);
    const host = await selectInstalledHost(db, hostId);
    return typeof host?.installedAt === "number" ? "installed" : "registered";
  }

  async #view(db: Db, id: string): Promise<InstallationView | undefined> {
    return (await viewInstallations(db, { ...ALL, id }, this.#deps))[0];
  }

  #watchDeps(): WatchDeps<InstallationView> {
    const { store, bell } = this.#deps;
    const read = async (db: Db, id: string) => {
      const view = await this.#view(db, id);
      return view && { view, lastJournal: view.lastJournal, lastLog: view.lastLog, ended: view.outcome !== "open" };
    };
    return { store, bell, read };
  }
}

interface Operation {
  readonly event: HostEvent;
  readonly reason?: string;
  readonly permission?: WipePermission;
}

interface Audited {
  readonly id: string;
  readonly clusterId: string;
  readonly details: Readonly<Record<string, string>>;
  readonly reason?: string;
}

function orderOf({ image, windowMs, storage, rescue, wipeDiskSerials }: ArmWish): Record<string, string> {
  const { disk, wipe } = storage;
  const order = { image, windowSeconds: String(windowMs / 1000), disk, rescue: String(rescue) };
  return { ...order, ...wipeText({ wipe, wipeDiskSerials }) };
}

/** What a disk may lose is what one looks for afterwards. */
function wipeText({ wipe, wipeDiskSerials }: WipePermission): Record<string, string> {
  return {
    ...(wipe && { wipe: "true" }),
    ...(wipeDiskSerials.length > 0 && { wipeDiskSerials: wipeDiskSerials.join(" ") }),
  };
}

function nameOf(caller: Caller): string {
  return caller.principal.kind === "operator" ? caller.principal.name : actorOf(caller);
}

function parseReason(reason: string): string {
  if (Buffer.byteLength(reason) <= MAX_REASON_BYTES) return reason;
  throw new HpsError("invalid", `a reason is at most ${MAX_REASON_BYTES} bytes`);
}
