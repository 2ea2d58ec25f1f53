import { setTimeout as pause } from "node:timers/promises";
import { type Host, HostStateSchema } from "../../proto/gen/hps/v1/host_pb.ts";
import { formatDuration } from "../../proto/values/duration.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Call } from "../commands/call.ts";
import { note } from "../output/print.ts";
import { spanText } from "../output/rate.ts";
import { whatNext } from "../output/what-next.ts";
import { enumWord } from "../output/words.ts";
import type { Hps } from "../sdk/connect.ts";

const POLL_MS = 1000;
const SAY_MS = 60_000;

export interface WaitWish {
  /** `cluster/name` or an id. */
  readonly host: string;
  /** 0: not at all; infinite: until interrupted. */
  readonly limitMs: number;
}

/** Does `open`; while that fails because no agent of the host is attached, waits for one, says so, and does it again. */
export async function whenThere<Result>(
  call: Call,
  hps: Hps,
  wish: WaitWish,
  open: () => Promise<Result>,
): Promise<Result> {
  const wait = new HostWait(call, hps, wish);
  for (;;) {
    try {
      return await open();
    } catch (error) {
      if (wish.limitMs === 0 || !isAbsent(error)) throw error;
      await wait.untilAttached();
    }
  }
}

function isAbsent(error: unknown): error is HpsError {
  return error instanceof HpsError && error.code === "unavailable" && error.details.attached === "no";
}

class HostWait {
  readonly #call: Call;
  readonly #hps: Hps;
  readonly #wish: WaitWish;
  readonly #since: number;
  #saidAt: number;
  #begun = false;
  #unreachable = false;

  constructor(call: Call, hps: Hps, wish: WaitWish) {
    this.#call = call;
    this.#hps = hps;
    this.#wish = wish;
    this.#since = call.terminal.now();
    this.#saidAt = this.#since;
  }

  async untilAttached(): Promise<void> {
    for (;;) {
      const host = await this.#look();
      if (host?.attached === true) return;
      await this.#say(host);
      if (this.#waitedMs >= this.#wish.limitMs) throw this.#tooLong();
      await pause(POLL_MS, undefined, { signal: this.#call.terminal.signal }).catch(() => {
        throw new HpsError("cancelled", `interrupted while waiting for an agent of ${this.#wish.host}`);
      });
    }
  }

  get #waitedMs(): number {
    return this.#call.terminal.now() - this.#since;
  }

  /** Undefined while hpsd cannot be asked, which is said once each time. */
  async #look(): Promise<Host | undefined> {
    try {
      const host = await this.#hps.hosts.getHost({ host: this.#wish.host }, this.#call.once);
      this.#unreachable = false;
      return host;
    } catch (error) {
      if (!(error instanceof HpsError) || error.code !== "unavailable") throw error;
      if (!this.#unreachable) await note(this.#call.terminal, `hpsctl: ${error.message}; still waiting`);
      this.#unreachable = true;
      return undefined;
    }
  }

  async #say(host: Host | undefined): Promise<void> {
    const { terminal } = this.#call;
    if (host === undefined) return;
    const name = `${host.cluster}/${host.name}`;
    const state = enumWord(HostStateSchema, host.state);
    if (!this.#begun) {
      this.#begun = true;
      const limit = Number.isFinite(this.#wish.limitMs) ? ` at most ${formatDuration(this.#wish.limitMs)};` : "";
      await note(
        terminal,
        `hpsctl: no agent of ${name} is attached (${state}); waits until one is,${limit} Ctrl-C ends that`,
      );
      for (const line of await this.#next(host)) await note(terminal, `  ${line}`);
    } else if (terminal.now() - this.#saidAt >= SAY_MS) {
      await note(terminal, `hpsctl: still no agent of ${name} (${state}) after ${spanText(this.#waitedMs / 1000)}`);
    } else return;
    this.#saidAt = terminal.now();
  }

  /** What has to happen for an agent to come. */
  async #next({ installation, cluster, name }: Host): Promise<readonly string[]> {
    if (installation === "") {
      return [`its machine may be off, or: hpsctl host rescue ${cluster}/${name}, hpsctl install ${cluster}/${name}`];
    }
    try {
      return whatNext(await this.#hps.installations.getInstallation({ installation }, this.#call.once));
    } catch (error) {
      if (error instanceof HpsError) return [];
      throw error;
    }
  }

  #tooLong(): HpsError {
    const { host, limitMs } = this.#wish;
    return new HpsError("deadline", `no agent of ${host} was attached within ${formatDuration(limitMs)}`, {
      hint: "an agent attaches when the installer or the installed system has started: hpsctl host get shows where it is",
    });
  }
}
