import { join } from "node:path";
import { readCertificatesPem } from "../../certs/files.ts";
import type { AgentConfig } from "../../proto/config/agent-config.ts";
import type { AgentService, Welcome } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { Client } from "../../proto/rpc/rpc-client.ts";
import { formatDuration } from "../../proto/values/duration.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Shells } from "../link/shells.ts";
import { describeError, type Log } from "../log.ts";
import { readClocks } from "./clocks.ts";
import { deliverAll } from "./delivery.ts";
import { Door } from "./door.ts";
import { ListKeeper } from "./list-keeper.ts";
import { Recordings } from "./recordings.ts";
import type { DirectList } from "./signed-list.ts";

export interface DirectWayOptions {
  /** Its own folder. */
  readonly folder: string;
  readonly hostId: string;
  /** PEM: whom to believe. */
  readonly rootCertificate: string;
  readonly config: AgentConfig["direct"];
  readonly shells: Shells;
  readonly service: () => Client<typeof AgentService>;
  readonly log: Log;
}

/** How often is looked whether the door must be opened or closed. */
const LOOK_MS = 1_000;
/** Of sessions that came in directly, once hpsd is back. */
const AFTER_BACK_MS = 60 * 60_000;
/** Between two tries to get a list, or the port. */
const AGAIN_MS = 30_000;

/** The way into this host while hpsd is away: its list, its door, its recordings. */
export class DirectWay {
  readonly #options: DirectWayOptions;
  readonly #keeper: ListKeeper;
  readonly #recordings: Recordings;
  readonly #over = new AbortController();
  /** Since when hpsd is lost, `performance.now()`; undefined: it is there, or it would not have this agent. */
  #lostSince: number | undefined = performance.now();
  /** hpsd wants this host to have a list. */
  #isOn = false;
  #door: Door | undefined;
  /** Doors that are closed, with sessions that go on. */
  readonly #closing = new Set<Door>();
  #renewing: Promise<void> | undefined;
  #renewAgain = false;
  /** What failed is not tried again before. */
  #renewNotBefore = 0;
  #openNotBefore = 0;
  #looking = false;
  /** That the list is good no more. */
  #saidOver = false;
  #delivering: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #attached: AbortController | undefined;

  constructor(options: DirectWayOptions) {
    this.#options = options;
    const { folder, hostId, rootCertificate, config, log, service } = options;
    const roots = readCertificatesPem(rootCertificate, "the contact");
    const ask = async (certificateRequest: Uint8Array<ArrayBuffer>) =>
      await service().renewDirectAccess({ certificateRequest });
    this.#keeper = new ListKeeper({ folder, hostId, roots, log, ask, clocks: readClocks });
    this.#recordings = new Recordings(join(folder, "recordings"), config, log);
  }

  /** Recordings that wait for hpsd. */
  get undelivered(): number {
    return this.#recordings.undelivered;
  }

  async start(): Promise<void> {
    await this.#keeper.open();
    await this.#recordings.openFolder();
    const every = Math.min(LOOK_MS, this.#options.config.lostFor / 4);
    this.#timer = setInterval(() => void this.#look(), every);
  }

  /** hpsd is there and has said what it wants of this host. */
  welcomed({ directAccess }: Pick<Welcome, "directAccess">): void {
    this.refresh(directAccess);
    this.#attached?.abort();
    this.#attached = new AbortController();
    this.#deliver();
  }

  /** Who may enter has changed; `on` false: nobody any more. */
  refresh(on: boolean): void {
    this.#isOn = on;
    this.#renewNotBefore = 0;
    if (on) this.#renewSoon();
    else void this.#forget();
  }

  /** `answered`: hpsd is there, even if it would not have this agent. */
  state(attached: boolean, answered: boolean): void {
    if (attached || answered) this.#lostSince = undefined;
    else this.#lostSince ??= performance.now();
    if (!attached) this.#attached?.abort();
    void this.#look();
  }

  async stop(): Promise<void> {
    this.#over.abort();
    clearInterval(this.#timer);
    const doors = [...this.#closing, ...(this.#door === undefined ? [] : [this.#door])];
    await Promise.all(doors.map((door) => door.stop()));
  }

  async #look(): Promise<void> {
    if (this.#looking || this.#over.signal.aborted) return;
    this.#looking = true;
    try {
      await this.#keeper.note();
      if (this.#lostSince === undefined && this.#isOn && this.#keeper.renewIn === 0) this.#renewSoon();
      await this.#openOrClose();
    } catch (error) {
      this.#options.log.warn(`the direct way: ${describeError(error)}`);
    } finally {
      this.#looking = false;
    }
  }

  async #openOrClose(): Promise<void> {
    const { lostFor } = this.#options.config;
    const list = this.#keeper.current;
    const isLost = this.#lostSince !== undefined && performance.now() - this.#lostSince >= lostFor;
    if (isLost && typeof list !== "string") {
      if (this.#door === undefined && performance.now() >= this.#openNotBefore) await this.#open(list);
    } else if (this.#door !== undefined) {
      this.#close(typeof list === "string" ? list : "hpsd is back");
    } else if (isLost && typeof list === "string" && this.#keeper.hasList && !this.#saidOver) {
      this.#saidOver = true;
      this.#options.log.warn(`hpsd is lost, and nobody may enter directly: ${list}`);
    }
    if (!isLost) this.#saidOver = false;
  }

  async #open(list: DirectList): Promise<void> {
    const { config, shells, log, rootCertificate } = this.#options;
    const roots = readCertificatesPem(rootCertificate, "the contact");
    const options = { port: config.port, roots, shells, log, recordings: this.#recordings };
    try {
      const { door, port } = await Door.open(
        { ...options, list: () => this.#keeper.current, onEnd: () => this.#sessionEnded() },
        list,
      );
      this.#door = door;
      log.warn(`hpsd is lost for ${formatDuration(config.lostFor)}: the direct way is open`, { port });
    } catch (error) {
      this.#openNotBefore = performance.now() + AGAIN_MS;
      throw error;
    }
  }

  #close(why: string): void {
    const door = this.#door;
    if (door === undefined) return;
    this.#door = undefined;
    door.close(why);
    this.#options.log.info(`the direct way is closed: ${why}`, { sessions: door.sessions });
    if (door.sessions === 0) return;
    this.#closing.add(door);
    const end = () => void door.endSessions(() => true, `hpsd is back since ${formatDuration(AFTER_BACK_MS)}`);
    setTimeout(end, AFTER_BACK_MS).unref();
  }

  #sessionEnded(): void {
    for (const door of this.#closing) if (door.sessions === 0) this.#closing.delete(door);
    this.#deliver();
  }

  /** One delivery at a time: what waits later is found by the next. */
  #deliver(): void {
    const attached = this.#attached;
    if (attached === undefined || attached.signal.aborted || this.#over.signal.aborted) return;
    const { log, service } = this.#options;
    const signal = AbortSignal.any([attached.signal, this.#over.signal]);
    const before = this.#delivering;
    this.#delivering = before.then(
      async () => await deliverAll({ recordings: this.#recordings, service, log }, signal),
    );
  }

  #renewSoon(): void {
    if (performance.now() < this.#renewNotBefore) return;
    this.#renewAgain = true;
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
  }

  async #renew(): Promise<void> {
    while (this.#renewAgain && this.#isOn && !this.#over.signal.aborted) {
      this.#renewAgain = false;
      try {
        const list = await this.#keeper.renew();
        this.#options.log.info("a new list of who may enter directly", { keys: list.entries.size });
        await this.#endUnlisted(list);
      } catch (error) {
        // It was switched off while hpsd answered.
        if (!this.#isOn) return;
        this.#renewNotBefore = performance.now() + AGAIN_MS;
        this.#options.log.warn(`no list of who may enter directly: ${describeError(error)}`);
        await this.#judgeRefusal(error);
      }
    }
  }

  /** hpsd itself says that there is to be none. */
  async #judgeRefusal(error: unknown): Promise<void> {
    if (error instanceof HpsError && ["precondition", "not-found", "denied"].includes(error.code)) await this.#forget();
  }

  async #forget(): Promise<void> {
    await this.#keeper.forget();
    await this.#endAll("hosts of this cluster may no longer be entered directly");
  }

  /** Whoever is in and is not on the new list goes. */
  async #endUnlisted({ entries }: DirectList): Promise<void> {
    const why = "you may no longer enter this host directly";
    for (const door of this.#closing) await door.endSessions(({ key }) => !entries.has(key), why);
    await this.#door?.endSessions(({ key }) => !entries.has(key), why);
  }

  async #endAll(why: string): Promise<void> {
    for (const door of this.#closing) await door.endSessions(() => true, why);
    await this.#door?.endSessions(() => true, why);
  }
}
