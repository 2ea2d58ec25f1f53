import type { IpAddress } from "../../../proto/values/ip-address.ts";
import { gateViewByMac } from "../../store/gate-view.ts";
import { Budget } from "./budget.ts";
import type { GateParts } from "./gate-parts.ts";
import { keepLines, type LogKeeping } from "./keep-lines.ts";

/** The name of these lines in an installation's log. */
export const LOADER_SOURCE = "boot";
/** iPXE asks within seconds; with an IPv6 router that does not answer, within 20. */
const WAIT_MS = 60_000;
const MOST_WAITING = 1_000;
/** A machine that tries on and on is told of now and then. */
const LINES = { most: 1, everyMs: 600_000, keys: 10_000 };

type WatchParts = Pick<GateParts, "store" | "clock" | "leases">;

/**
 * Machines whose firmware was given its loader, until they ask how to boot. One that does not has a firmware that refused what it
 * loaded: nobody else would ever hear of that, for nothing of ours runs there.
 */
export class LoaderWatch {
  readonly #parts: WatchParts;
  readonly #keeping: LogKeeping;
  readonly #waitMs: number;
  readonly #waiting = new Map<string, NodeJS.Timeout>();
  readonly #told = new Budget(LINES);

  constructor(parts: WatchParts, keeping: LogKeeping, waitMs = WAIT_MS) {
    this.#parts = parts;
    this.#keeping = keeping;
    this.#waitMs = waitMs;
  }

  /** A loader went to this address. */
  sent(file: string, address: IpAddress): void {
    if (this.#waiting.size >= MOST_WAITING && !this.#waiting.has(address)) return;
    clearTimeout(this.#waiting.get(address));
    const tell = () => {
      this.#waiting.delete(address);
      void this.#tell(file, address).catch(() => undefined); // hpsd ends, or its store is away: it is a hint
    };
    this.#waiting.set(address, setTimeout(tell, this.#waitMs).unref());
  }

  /** What was loaded there runs. */
  asked(address: IpAddress): void {
    clearTimeout(this.#waiting.get(address));
    this.#waiting.delete(address);
  }

  /** Whose address it is another DHCP server may know, not we: then nobody can be told. */
  async #tell(file: string, address: IpAddress): Promise<void> {
    const { store, clock, leases } = this.#parts;
    const now = clock();
    const mac = leases.byAddress(address)?.mac;
    const view = mac === undefined ? undefined : await store.read((db) => gateViewByMac(db, mac));
    const id = view?.installation?.id;
    if (mac === undefined || id === undefined || !this.#told.spend(id, now)) return;
    const lines = [sentence(mac, file)];
    await store.write((tx) => keepLines(tx, { id, source: LOADER_SOURCE, lines }, { ...this.#keeping, now }));
  }
}

function sentence(mac: string, file: string): string {
  const what = `the firmware of ${mac} loaded ${file}, and nothing was heard of it since`;
  if (!file.endsWith(".efi")) return `${what}: its screen says why`;
  return `${what}: with Secure Boot on, a firmware loads it and then refuses it; turn that off in the firmware's setup`;
}
