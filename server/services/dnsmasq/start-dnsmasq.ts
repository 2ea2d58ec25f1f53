import { readFile } from "node:fs/promises";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { rangeContains } from "../../../proto/values/ipv4-network.ts";
import { Service, type ServiceEnd, type ServiceState } from "../supervise.ts";
import { pathsIn, prepareFolder, replaceFile, testFiles } from "./dnsmasq-files.ts";
import type { DnsmasqPlan } from "./dnsmasq-plan.ts";
import { LastExchange } from "./last-exchange.ts";
import { type Lease, type LeaseEvent, type LeaseNews, NO_WORDS, parsePxeLine } from "./lease-event.ts";
import { parseLeaseFile, withoutLeases } from "./lease-file.ts";
import { openLeasePipe } from "./lease-pipe.ts";
import { endOrphan } from "./orphan.ts";
import { type DnsmasqFiles, renderDnsmasq } from "./render-dnsmasq.ts";
import { parseTftpLine, type SentFile } from "./tftp-line.ts";

export interface DnsmasqOptions {
  readonly plan: DnsmasqPlan;
  /** Ours alone, kept over restarts. Its parents must be passable (`o+x`) for `plan.user`. */
  readonly stateDir: string;
  /** Called in dnsmasq's order; at the start once for each lease that holds. The same lease may be told again. */
  readonly onLease: (event: LeaseEvent) => void;
  /** A machine was sent a file by TFTP. */
  readonly onSent?: (sent: SentFile) => void;
  readonly onState: (state: ServiceState) => void;
  readonly log: (line: string) => void;
  readonly program?: string;
}

export interface Dnsmasq {
  /** Resolves when dnsmasq works by the new plan. Throws `invalid` for a plan that cannot be, and stays with the old one. */
  update(plan: DnsmasqPlan): Promise<void>;
  state(): ServiceState;
  /** When and why it ended by itself the last time, if it did. */
  lastEnd(): ServiceEnd | undefined;
  stop(): Promise<void>;
}

const READY = /: started, version /;
const WAIT_MS = 10_000;

/** Starts dnsmasq and keeps it running; resolves when it serves, throws `unavailable` with its last lines when it cannot. */
export async function startDnsmasq(options: DnsmasqOptions): Promise<Dnsmasq> {
  const runner = new Runner(options);
  try {
    await runner.start();
  } catch (error) {
    await runner.stop();
    throw error;
  }
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = (work: () => Promise<void>) => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };
  return {
    update: (plan) => inTurn(() => runner.update(plan)),
    state: () => runner.service.state,
    lastEnd: () => runner.service.lastEnd,
    stop: () => inTurn(() => runner.stop()),
  };
}

class Runner {
  readonly service: Service;
  readonly #options: DnsmasqOptions;
  readonly #paths: ReturnType<typeof pathsIn>;
  readonly #program: string;
  #plan: DnsmasqPlan;
  readonly #exchanges = new LastExchange();
  #pipe: { close(): void } | undefined;
  #waiting = new Set<{ readonly line: RegExp; readonly done: (arrived: boolean) => void }>();

  constructor(options: DnsmasqOptions) {
    this.#options = options;
    this.#plan = options.plan;
    this.#paths = pathsIn(options.stateDir);
    this.#program = options.program ?? "dnsmasq";
    this.service = new Service({
      name: "dnsmasq",
      argv: [this.#program, "--keep-in-foreground", `--conf-file=${this.#paths.conf}`],
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HPS_LEASE_PIPE: this.#paths.pipe },
      readyLine: READY,
      onLine: (line) => this.#onLine(line),
      onState: (state) => this.#onState(state),
    });
  }

  async start(): Promise<void> {
    const { plan, stateDir, log } = this.#options;
    const files = renderDnsmasq(plan, this.#paths);
    await prepareFolder(stateDir, this.#paths.script, plan.user);
    await testFiles(this.#program, files, stateDir);
    await endOrphan(this.#paths.pid, this.#paths.conf);
    this.#pipe = await openLeasePipe({ path: this.#paths.pipe, onNews: (news) => this.#tell(news), log });
    await this.#write(files);
    await this.#dropLeases();
    const now = Date.now();
    for (const lease of await this.#leases()) {
      if (lease.expiresAt > now) this.#tell({ kind: "old", ...lease, client: NO_WORDS });
    }
    await this.#launch();
  }

  async update(plan: DnsmasqPlan): Promise<void> {
    const files = renderDnsmasq(plan, this.#paths);
    await testFiles(this.#program, files, this.#options.stateDir);
    this.#plan = plan;
    const foreign = (await this.#leases()).some(foreignTo(this.#plan));
    const { conf, rest } = await this.#write(files);
    if (conf || foreign || this.service.state.status !== "running") await this.#restart();
    else if (rest) await this.#reload();
  }

  async stop(): Promise<void> {
    await this.service.stop();
    this.#pipe?.close();
  }

  async #restart(): Promise<void> {
    await this.service.stop();
    await this.#dropLeases();
    await this.#launch();
  }

  async #launch(): Promise<void> {
    const ready = this.#line(READY);
    this.service.start();
    if (await ready) return;
    const { state } = this.service;
    const hint = "reason" in state ? state.reason : "it printed nothing";
    throw new HpsError("unavailable", "dnsmasq does not start", { hint });
  }

  /** The options file is the last that dnsmasq reads at a SIGHUP. One that ends meanwhile reads the new files as it starts again. */
  async #reload(): Promise<void> {
    const read = this.#line(new RegExp(`: read ${RegExp.escape(this.#paths.dhcpOptions)}$`));
    this.service.signal("SIGHUP");
    if (!(await read) && this.service.state.status === "running") {
      throw new HpsError("unavailable", "dnsmasq does not read its files again");
    }
  }

  async #write(files: DnsmasqFiles): Promise<{ conf: boolean; rest: boolean }> {
    const conf = await replaceFile(this.#paths.conf, files.conf);
    const dhcpHosts = await replaceFile(this.#paths.dhcpHosts, files.dhcpHosts);
    const dhcpOptions = await replaceFile(this.#paths.dhcpOptions, files.dhcpOptions);
    const hosts = await replaceFile(this.#paths.hosts, files.hosts);
    return { conf, rest: dhcpHosts || dhcpOptions || hosts };
  }

  async #leases(): Promise<readonly Lease[]> {
    return parseLeaseFile(await this.#leaseText());
  }

  #leaseText(): Promise<string> {
    return readFile(this.#paths.leases, "latin1").catch(() => "");
  }

  /** Only while dnsmasq is stopped: it keeps leases in memory and can be made to forget one in no other way. */
  async #dropLeases(): Promise<void> {
    const text = await this.#leaseText();
    const foreign = parseLeaseFile(text).filter(foreignTo(this.#plan));
    if (foreign.length === 0) return;
    await replaceFile(this.#paths.leases, withoutLeases(text, foreignTo(this.#plan)));
    for (const lease of foreign) this.#tell({ kind: "del", ...lease, client: NO_WORDS });
  }

  #tell(news: LeaseNews): void {
    const now = Date.now();
    this.#options.onLease(this.#exchanges.date(news, now, longestLease(this.#plan, news, now)));
  }

  /** When it ends there is no line to wait for any more. */
  #onState(state: ServiceState): void {
    this.#options.onState(state);
    if ("reason" in state) for (const waiter of [...this.#waiting]) waiter.done(false);
  }

  #onLine(line: string): void {
    this.#options.log(line);
    for (const waiter of [...this.#waiting]) if (waiter.line.test(line)) waiter.done(true);
    const sent = parseTftpLine(line);
    if (sent !== undefined) this.#options.onSent?.(sent);
    if (this.#plan.dhcp.mode !== "proxy") return;
    const event = parsePxeLine(line);
    if (event !== undefined) this.#tell(event);
  }

  #line(line: RegExp): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (arrived: boolean) => {
        clearTimeout(timer);
        this.#waiting.delete(waiter);
        resolve(arrived);
      };
      const timer = setTimeout(() => done(false), WAIT_MS);
      const waiter = { line, done };
      this.#waiting.add(waiter);
    });
  }
}

/** Picks leases of a reserved address, or one outside the dynamic range, by a machine the plan does not give it to. */
function foreignTo(plan: DnsmasqPlan): (lease: Lease) => boolean {
  const owners = new Map(plan.hosts.flatMap((host) => host.macs.map((mac) => [mac, host.address])));
  const range = plan.dhcp.mode === "server" ? plan.dhcp.range : undefined;
  return ({ mac, address }) => owners.get(mac) !== address && !(range !== undefined && rangeContains(range, address));
}

/** In seconds, what this lease was given for at most: strangers wait for approval with a short one, also over our restart. */
function longestLease({ dhcp, hosts }: DnsmasqPlan, news: LeaseNews, now: number): number {
  if (dhcp.mode !== "server" || news.kind === "pxe") return 0;
  const short = dhcp.range?.leaseSeconds ?? 0;
  const isShort = news.expiresAt - short * 1000 <= now && !hosts.some(({ macs }) => macs.includes(news.mac));
  return isShort ? short : Math.max(dhcp.hostLeaseSeconds, short);
}
