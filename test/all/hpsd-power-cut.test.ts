import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { Hps } from "../../client/sdk/connect.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { makeHpsdGuest } from "../lab/hpsd-guest.ts";
import { scenario } from "../runner/scenario.ts";

const OPERATORS = 4;
/** Acknowledged before the power is cut, each time. */
const ENOUGH = 40;
const CUTS = 1;
/** A call that was under way when the power was cut is never answered. */
const CALL_MS = 20_000;
const GONE: readonly string[] = ["unavailable", "deadline", "cancelled"];

/** Add hosts until the power is cut; what was acknowledged, by name. */
class Operators {
  readonly acknowledged = new Set<string>();
  readonly #cut: number;
  #count = 0;
  #ended: Promise<readonly HpsError[]> = Promise.resolve([]);

  constructor(cut: number) {
    this.#cut = cut;
  }

  begin(hps: Hps): void {
    this.#ended = Promise.all(Array.from({ length: OPERATORS }, () => this.#work(hps)));
  }

  /** When the power is cut: they heard that hpsd is gone, and no other refusal. */
  async end(): Promise<void> {
    for (const error of await this.#ended) if (!GONE.includes(error.code)) throw error;
  }

  async #work({ hosts }: Hps): Promise<HpsError> {
    for (;;) {
      this.#count += 1;
      const name = `cut${this.#cut}-${this.#count}`;
      const number = (this.#cut * 65_536 + this.#count).toString(16).padStart(6, "0");
      const mac = `52:54:00:${number.replace(/..(?=.)/g, "$&:")}`;
      try {
        await hosts.createHost({ host: { cluster: "lab", name, macs: [mac] } }, { timeoutMs: CALL_MS });
      } catch (error) {
        if (error instanceof HpsError) return error;
        throw error;
      }
      this.acknowledged.add(name);
    }
  }
}

async function hostsOf({ hosts }: Hps): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  let pageToken = "";
  do {
    const page = await hosts.listHosts({ cluster: "lab", pageSize: 500, pageToken });
    for (const { name } of page.hosts) names.add(name);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return names;
}

/** Cuts the power under writing operators, again and again; what was acknowledged and is not there at the end. */
async function lostBy(options: { readonly unsynced?: "store"; readonly cuts: number }): Promise<readonly string[]> {
  await using guest = await makeHpsdGuest(options);
  const acknowledged = new Set<string>();
  for (let cut = 0; cut < options.cuts; cut += 1) {
    const operators = new Operators(cut);
    operators.begin(await guest.start());
    await expect.poll(() => operators.acknowledged.size, { timeout: 120_000 }).toBeGreaterThan(ENOUGH);
    await sleep(Math.random() * 1_000);
    const unflushed = await guest.cutPower();
    await operators.end();
    for (const name of operators.acknowledged) acknowledged.add(name);
    console.info(
      `cut ${cut}: ${operators.acknowledged.size} acknowledged, ${unflushed} bytes were written and not flushed`,
    );
  }
  const there = await hostsOf(await guest.start());
  expect(guest.printed()).toContain("hpsd check ended with 0");
  return [...acknowledged].filter((name) => !there.has(name));
}

scenario("hpsd-power", async () => {
  expect(await lostBy({ cuts: CUTS })).toEqual([]);
});

scenario("hpsd-power-sabotage", async () => {
  expect((await lostBy({ unsynced: "store", cuts: 1 })).length).toBeGreaterThan(0);
});
