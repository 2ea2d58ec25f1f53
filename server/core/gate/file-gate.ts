import type { IpAddress } from "../../../proto/values/ip-address.ts";
import { parseUuid, type Uuid } from "../../../proto/values/uuid.ts";
import { type GateView, gateViewByMac } from "../../store/gate-view.ts";
import { selectOpenOf } from "../../store/installations.ts";
import { selectLastSucceeded } from "../../store/installed-host.ts";
import { BOOT_RULES, hostStateOf } from "./boot-decision.ts";
import { type GateParts, refusal } from "./gate-parts.ts";
import { doubtAbout, type Neighbour } from "./sender.ts";

/** A machine fetches a file of the boot door. */
export interface FileAsk {
  readonly file: string;
  /** The request's source address. */
  readonly address: IpAddress;
  readonly neighbour: Neighbour;
}

/** Decides who may fetch what a machine boots: it says nothing of itself, so its address and the neighbour table speak for it. */
export class FileGate {
  readonly #parts: GateParts;

  constructor(parts: GateParts) {
    this.#parts = parts;
  }

  /**
   * For machines of known hosts on addresses we leased: the digest of the installer they were told to boot, empty when none was recorded.
   * Throws `denied` with an incident id.
   */
  async admit(ask: FileAsk): Promise<string> {
    const { hostId } = await this.#knownHost(ask);
    return (await this.#parts.store.read((db) => selectOpenOf(db, hostId)))?.installer ?? "";
  }

  /** What firmware loads before it can ask anything: also for an unknown machine, as long as it may make first contact. */
  async admitFirst(ask: FileAsk): Promise<void> {
    const { clock, settings, loaders } = this.#parts;
    const { lease, doubt } = this.#sender(ask);
    const isNew = doubt === undefined && lease !== undefined && lease.seenAt + settings.contactWindow > clock();
    if (!isNew) await this.#knownHost(ask);
    loaders.sent(ask.file, ask.address);
  }

  /** The installation that wrote the disk which the sender's host is to boot now. Throws `denied` with an incident id when there is none. */
  async diskOf(ask: FileAsk): Promise<Uuid> {
    const view = await this.#knownHost(ask);
    const state = hostStateOf(view, this.#parts.clock());
    if (BOOT_RULES[state] !== "local-disk")
      throw await this.#refuse(ask, `${view.hostName} does not boot its disk now`);
    const { installation } = view;
    const last = async () => await this.#parts.store.read((db) => selectLastSucceeded(db, view.hostId));
    // One that is rebooting has written its disk, whether or not the system on it has reported yet.
    const id = state === "rebooting" ? installation?.id : await last();
    if (id === undefined)
      throw await this.#refuse(ask, `no installation of ${view.hostName} is known that wrote a disk`);
    return parseUuid(id);
  }

  async #knownHost(ask: FileAsk): Promise<GateView> {
    const { doubt, mac } = this.#sender(ask);
    if (doubt !== undefined) throw await this.#refuse(ask, doubt);
    const view = await this.#parts.store.read((db) => gateViewByMac(db, mac));
    if (view === undefined) throw await this.#refuse(ask, "the machine is unknown");
    return view;
  }

  #sender({ address, neighbour }: FileAsk) {
    const { leases, clock } = this.#parts;
    const mac = leases.byAddress(address)?.mac ?? (typeof neighbour === "object" ? neighbour.mac : "");
    const lease = leases.about(address, mac);
    return { mac, lease, doubt: doubtAbout({ claimedMac: mac, lease, neighbour, now: clock() }) };
  }

  async #refuse({ file, address }: FileAsk, reason: string) {
    const who = { actor: `address:${address}`, action: "boot.file", address };
    return await refusal(this.#parts.refusals, who, { reason, details: { file } });
  }
}
