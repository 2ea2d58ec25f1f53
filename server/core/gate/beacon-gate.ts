import type { Beacon } from "../../../proto/config/beacon.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { IpAddress } from "../../../proto/values/ip-address.ts";
import type { Tx } from "../../store/database.ts";
import { gateViewByMac } from "../../store/gate-view.ts";
import { type BeaconWords, linesOf } from "./beacon-lines.ts";
import { Budget } from "./budget.ts";
import { forgetOldest } from "./forget-oldest.ts";
import { type GateParts, refusal } from "./gate-parts.ts";
import { keepLines, type LogKeeping } from "./keep-lines.ts";
import { doubtAbout, type Neighbour } from "./sender.ts";

/** An installer that is not attached says how it is. */
export interface BeaconAsk {
  readonly beacon: Beacon;
  /** The request's source address. */
  readonly address: IpAddress;
  readonly neighbour: Neighbour;
}

/** The name of these lines in an installation's log: nothing in them is proven. */
export const BEACON_SOURCE = "beacon";
const MOST_KEYS = 10_000;
/** An installer has something new to say every few seconds at most. */
const BEACONS = { most: 12, everyMs: 60_000, keys: MOST_KEYS };
/** What one installation may fill its log with by beacons alone. */
const LINES = { most: 4_000, everyMs: 3_600_000, keys: MOST_KEYS };
const MOST_REMEMBERED = 1_000;

/** Takes beacons into the log of the installation that holds the sender's host. They change nothing else. */
export class BeaconGate {
  readonly #parts: GateParts;
  readonly #keeping: LogKeeping;
  readonly #beacons = new Budget(BEACONS);
  readonly #lines = new Budget(LINES);
  /** What each installation's last beacon said: the next one repeats most of it. */
  readonly #said = new Map<string, BeaconWords>();

  constructor(parts: GateParts, keeping: LogKeeping) {
    this.#parts = parts;
    this.#keeping = keeping;
  }

  /** Throws `denied` with an incident id for a sender that no open installation waits for, `exhausted` for one that says too much. */
  async take({ beacon, address, neighbour }: BeaconAsk): Promise<void> {
    const { store, clock, leases, refusals } = this.#parts;
    const now = clock();
    const who = { actor: `mac:${beacon.mac}`, action: "boot.beacon", address };
    // Whom the neighbour table knows needs no lease of ours besides: an installer lives longer than its PXE exchange speaks for it.
    const onLink = typeof neighbour === "object" && neighbour.mac === beacon.mac;
    const evidence = { claimedMac: beacon.mac, lease: leases.about(address, beacon.mac), neighbour, now };
    const doubt = onLink ? undefined : doubtAbout(evidence);
    if (doubt !== undefined) throw await refusal(refusals, who, { reason: doubt });
    const view = await store.read((db) => gateViewByMac(db, beacon.mac));
    if (view === undefined) throw await refusal(refusals, who, { reason: "the machine is unknown" });
    const id = view.installation?.id;
    if (id === undefined || (beacon.installation ?? id) !== id) {
      const reason = `${view.hostName} is not held by ${id === undefined ? "an" : "that"} installation`;
      throw await refusal(refusals, who, { target: `host:${view.hostId}`, clusterId: view.clusterId, reason });
    }
    if (!this.#beacons.spend(view.hostId, now)) throw tooMuch(view.hostName);
    await store.write((tx) => this.#keep(tx, id, { ...beacon, address }));
  }

  async #keep(tx: Tx, id: string, words: BeaconWords): Promise<void> {
    const now = this.#parts.clock();
    const lines = linesOf(words, this.#said.get(id)).filter(() => this.#lines.spend(id, now));
    if (lines.length === 0) return;
    await keepLines(tx, { id, source: BEACON_SOURCE, lines }, { ...this.#keeping, now });
    tx.afterCommit(() => this.#remember(id, words));
  }

  #remember(id: string, words: BeaconWords): void {
    this.#said.delete(id);
    this.#said.set(id, words);
    forgetOldest(this.#said, MOST_REMEMBERED);
  }
}

function tooMuch(hostName: string): HpsError {
  return new HpsError("exhausted", `the machine of ${hostName} sends more beacons than hpsd keeps`, {
    hint: "one every few seconds is enough",
  });
}
