/** The walk: every row, every identity. */
import { type Cell, type Outcome, tryCell } from "./cell.ts";
import { EXPECTED } from "./expected-access.ts";
import { NAMES, type Peers, type WhoName } from "./identities.ts";
import type { Rig } from "./rig.ts";
import type { Row } from "./row.ts";
import { AGENT_ROWS } from "./rows-agent.ts";
import { GRANT_ROWS } from "./rows-grants.ts";
import { CLUSTER_ROWS, HOST_ROWS } from "./rows-hosts.ts";
import { AUDIT_ROWS, FOREIGN_ROWS, IDENTITY_ROWS } from "./rows-identity.ts";
import { IMAGE_ROWS, INSTALLER_ROWS } from "./rows-images.ts";
import { INSTALLATION_ROWS, SHELL_ROWS, SYSTEM_ROWS } from "./rows-installations.ts";
import { LIBRARY_ROWS } from "./rows-library.ts";
import { TRUST_ROWS } from "./rows-trust.ts";
import { fresh, prepare, type Subject } from "./subject.ts";

export const ROWS: readonly Row[] = [
  ...AGENT_ROWS,
  ...AUDIT_ROWS,
  ...CLUSTER_ROWS,
  ...GRANT_ROWS,
  ...HOST_ROWS,
  ...IDENTITY_ROWS,
  ...IMAGE_ROWS,
  ...LIBRARY_ROWS,
  ...INSTALLER_ROWS,
  ...INSTALLATION_ROWS,
  ...SHELL_ROWS,
  ...SYSTEM_ROWS,
  ...FOREIGN_ROWS,
  // From then on cluster a takes only signed images.
  ...TRUST_ROWS,
];

export interface WalkOptions {
  /** What of the matrix is tried; default: all. */
  readonly which?: (expected: Cell, row: Row, who: WhoName) => boolean;
  /** How long such a cell may be silent, ms. */
  readonly limitMs?: (expected: Cell) => number | undefined;
}

export async function walk(peers: Peers, options: WalkOptions = {}): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const row of ROWS) outcomes.push(...(await walkRow({ rig: peers.rig, peers, row }, options)));
  return outcomes;
}

interface Walk {
  readonly rig: Rig;
  readonly peers: Peers;
  readonly row: Row;
}

async function walkRow(walking: Walk, { which, limitMs }: WalkOptions): Promise<Outcome[]> {
  const { rig, row } = walking;
  const stage = new Stage(walking);
  const outcomes: Outcome[] = [];
  for (const who of NAMES) {
    const expected = EXPECTED.get(row.name)?.get(who);
    if (expected === undefined || which?.(expected, row, who) === false) continue;
    const { subject, peer } = await stage.set(who);
    const attempt = { rig, who, peer, subject, number: fresh() };
    const outcome = await tryCell(row, attempt, expected, limitMs?.(expected));
    // What was changed is not what the next one's valid request is about.
    if (outcome.touched) await stage.clear();
    outcomes.push(outcome);
  }
  await stage.clear();
  // Or the many tries of this test would be counted in place of being written.
  await rig.core.refusals.flush();
  return outcomes;
}

/** The prepared objects of one row: the same for all who change nothing. */
class Stage {
  readonly #walk: Walk;
  readonly #subjects = new Map<string, Subject>();

  constructor(walking: Walk) {
    this.#walk = walking;
  }

  async set(who: WhoName) {
    const { rig, row, peers } = this.#walk;
    const wish = row.wish(who);
    const key = JSON.stringify(wish);
    const subject = this.#subjects.get(key) ?? (await prepare(rig, wish));
    if (!this.#subjects.has(key)) subject.extra = (await row.extra?.(rig, subject)) ?? "";
    this.#subjects.set(key, subject);
    const peer = await peers.connect(who, subject, row.agents);
    return { subject, peer };
  }

  async clear(): Promise<void> {
    for (const subject of this.#subjects.values()) await subject.dispose();
    this.#subjects.clear();
  }
}
