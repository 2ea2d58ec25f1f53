import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { formatBeacon } from "../../proto/config/beacon.ts";
import type { Mac } from "../../proto/values/mac.ts";
import type { Uuid } from "../../proto/values/uuid.ts";
import type { LogTail } from "../log-tail.ts";
import type { Situation } from "./situation.ts";

export interface BeaconOptions {
  readonly url: URL;
  /** Of the card the machine booted from. */
  readonly mac: Mac;
  readonly installation: Uuid;
  readonly situation: Situation;
  readonly tail: LogTail;
  readonly times?: typeof TIMES;
}

/** Milliseconds. */
const TIMES = {
  /** An agent that attaches in time needs no beacon. */
  patience: 15_000,
  look: 1_000,
  /** What changed is told soon; what did not, ever more seldom. */
  soonest: 5_000,
  seldom: 5 * 60_000,
};
const ANSWER_MS = 5_000;

/** While the agent is not attached, tells hpsd's boot door where it stands and what it said last, until the signal. */
export async function runBeacon(options: BeaconOptions, signal: AbortSignal): Promise<void> {
  const { situation, times = TIMES } = options;
  let [away, toldAt, told, wait] = [performance.now(), Number.NEGATIVE_INFINITY, "", times.soonest];
  while (!signal.aborted) {
    await sleep(times.look, undefined, { signal }).catch(() => undefined);
    const now = performance.now();
    if (situation.now.attached) {
      away = now;
      continue;
    }
    const { doing, problem } = situation.now;
    const isNew = told !== `${doing} ${problem}`;
    if (now - away < times.patience || now - toldAt < (isNew ? times.soonest : wait)) continue;
    wait = isNew ? times.soonest : Math.min(wait * 2, times.seldom);
    [toldAt, told] = [now, `${doing} ${problem}`];
    await sendBeacon(options).catch(() => undefined); // told anew when its time comes
  }
}

/** Sends one now; rejects when hpsd does not take it. */
export function sendBeacon({ url, mac, installation, situation, tail }: BeaconOptions): Promise<void> {
  const { doing, problem } = situation.now;
  const body = formatBeacon({ mac, installation, step: doing, reason: problem, log: tail.text });
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const asking = request(url, { method: "POST", headers, timeout: ANSWER_MS }, (response) => {
      response.resume();
      response.once("end", () => ((response.statusCode ?? 500) < 300 ? resolve() : reject(new Error("not taken"))));
    });
    asking.once("timeout", () => asking.destroy(new Error("no answer")));
    asking.once("error", reject);
    asking.end(body);
  });
}
