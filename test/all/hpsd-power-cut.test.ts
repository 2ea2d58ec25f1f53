import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { Hps } from "../../client/sdk/connect.ts";
import { makeHpsdGuest } from "../lab/hpsd-guest.ts";
import { scenario } from "../runner/scenario.ts";

const OPERATORS = 4;
/** Acknowledged before the power is cut, each time. */
const ENOUGH = 40;
const CUTS = 3;

/** Adds hosts until the power is cut; what was acknowledged, by name. */
class Operators {
  readonly acknowledged = new Set<string>();
  readonly #prefix: string;
  #count = 0;
  #ended: Promise<unknown> = Promise.resolve();

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  begin(hps: Hps): void {
    this.#ended = Promise.allSettled(Array.from({ length: OPERATORS }, () => this.#work(hps)));
  }

  async end(): Promise<void> {
    await this.#ended;
  }

  async #work({ hosts }: Hps): Promise<void> {
    for (;;) {
      this.#count += 1;
      const name = `${this.#prefix}-${this.#count}`;
      await hosts.createHost({ host: { cluster: "lab", name } });
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
async function lostBy(options: { readonly sync: boolean; readonly cuts: number }): Promise<readonly string[]> {
  await using guest = await makeHpsdGuest(options);
  const acknowledged = new Set<string>();
  for (let cut = 0; cut < options.cuts; cut += 1) {
    const operators = new Operators(`cut${cut}`);
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
  expect(await lostBy({ sync: true, cuts: CUTS })).toEqual([]);
});

scenario("hpsd-power-sabotage", async () => {
  expect((await lostBy({ sync: false, cuts: 1 })).length).toBeGreaterThan(0);
});
