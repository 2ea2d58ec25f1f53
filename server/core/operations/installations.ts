import { create } from "@bufbuild/protobuf";
import { InstallationState, StateChangeSchema } from "../../../proto/gen/hps/v1/installation_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { safeText } from "../../../proto/values/safe-text.ts";
import { newUuid } from "../../../proto/values/uuid.ts";
import type { Db, HpsStore, Tx } from "../../store/database.ts";
import {
  type InstallationQuery,
  type InstallationRow,
  insertInstallation,
  selectOpenOf,
  selectOverdue,
  updateInstallation,
} from "../../store/installations.ts";
import { selectInstalledHost } from "../../store/installed-host.ts";
import type { LogLineRow } from "../../store/log-lines.ts";
import { locateHost } from "../../store/lookup.ts";
import { type Audit, actorOfCaller } from "../audit/audit.ts";
import { type HostEvent, next, type OpenState, parseOpenState } from "../hosts/life-cycle.ts";
import { actorOf, type Caller } from "../identity/principal.ts";
import { type ArmRequest, parseArmRequest } from "./arm-request.ts";
import { type ChangedBy, InstallationLife, type LifeDeps } from "./installation-life.ts";
import { type InstallationView, type ViewSources, viewInstallations } from "./installation-view.ts";
import { MAX_REASON_BYTES } from "./limits.ts";
import { OperationRecord } from "./operation-record.ts";
import { type Seen, type WatchDeps, watchJournal, watchLog } from "./watch.ts";

export interface InstallationsDeps extends LifeDeps, ViewSources {
  readonly store: HpsStore;
  readonly audit: Audit;
}

/** The installation that holds a host. */
export interface OpenInstallation extends Omit<InstallationRow, "state"> {
  readonly state: OpenState;
}

const SWEEP_PAGE = 100;
const ALL = { clusters: "all", limit: 1 } as const;

/** Installations: the first kind of operation. */
export class Installations extends InstallationLife {
  readonly #deps: InstallationsDeps;

  constructor(deps: InstallationsDeps) {
    super(deps);
    this.#deps = deps;
  }

  /** Opens the window in which the host may be installed. `precondition` while another installation holds it. */
  async arm(caller: Caller, hostId: string, request: ArmRequest): Promise<InstallationView> {
    const wanted = parseArmRequest(request);
    const id = newUuid();
    await this.#deps.store.write(async (tx) => {
      const host = await locateHost(tx, hostId);
      if (host === undefined) throw new HpsError("not-found", `no host ${safeText(hostId)}`);
      next(await this.#stateOf(tx, hostId), "arm");
      await this.#insert(tx, { id, hostId, clusterId: host.clusterId, by: nameOf(caller), wanted });
      await this.#deps.hooks.suspendHost(tx, hostId);
      const details = { host: hostId, image: wanted.image, windowSeconds: String(wanted.windowMs / 1000) };
      await this.#audit(tx, caller, { id, clusterId: host.clusterId, details });
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

  /** Lets an interrupted or failed installation go on from the first step that is not done. */
  async retry(caller: Caller, id: string): Promise<InstallationView> {
    return await this.#operateOn(caller, id, { event: "retry" });
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
    await this.#deps.store.write(async (tx) => {
      const [row] = await viewInstallations(tx, { ...ALL, id }, this.#deps);
      if (row === undefined) throw new HpsError("not-found", `no installation ${safeText(id)}`);
      await this.#operate(tx, caller, row, what);
    });
    return await this.get(id);
  }

  async #operate(tx: Tx, caller: Caller, row: InstallationRow, { event, reason }: Operation): Promise<void> {
    const by: ChangedBy = { actor: nameOf(caller), ...(reason !== undefined && reason !== "" && { reason }) };
    await this.apply(tx, row.id, event, by);
    const details = { host: row.hostId, event };
    await this.#audit(tx, caller, { id: row.id, clusterId: row.clusterId, details, ...(reason && { reason }) });
  }

  async #audit(tx: Tx, caller: Caller, { id, ...subject }: Audited): Promise<void> {
    await this.#deps.audit.allowed(tx, actorOfCaller(caller), { target: `installation:${id}`, ...subject });
  }

  async #insert(tx: Tx, { id, hostId, clusterId, by, wanted }: Armed): Promise<void> {
    const { clock, changes } = this.#deps;
    const now = clock();
    const { windowMs, ...what } = wanted;
    const made = { id, hostId, clusterId, state: "armed", armedBy: by, windowEndAt: now + windowMs, createdAt: now };
    await insertInstallation(tx, { ...made, ...what });
    const record = new OperationRecord({ lastJournal: 0, lastLog: 0 }, now);
    const change = create(StateChangeSchema, { to: InstallationState.ARMED, event: "arm", actor: by });
    record.enter({ case: "change", value: change });
    await tx.batch([...record.take(tx, id), updateInstallation(tx, id, record.ends)]);
    await changes.note(tx, { kind: "installation", objectId: id, clusterId, deleted: false });
    await changes.note(tx, { kind: "host", objectId: hostId, clusterId, deleted: false });
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
}

interface Audited {
  readonly id: string;
  readonly clusterId: string;
  readonly details: Readonly<Record<string, string>>;
  readonly reason?: string;
}

interface Armed {
  readonly id: string;
  readonly hostId: string;
  readonly clusterId: string;
  readonly by: string;
  readonly wanted: Required<ArmRequest>;
}

function nameOf(caller: Caller): string {
  return caller.principal.kind === "operator" ? caller.principal.name : actorOf(caller);
}

function parseReason(reason: string): string {
  if (Buffer.byteLength(reason) <= MAX_REASON_BYTES) return reason;
  throw new HpsError("invalid", `a reason is at most ${MAX_REASON_BYTES} bytes`);
}
