import { enumWord } from "../../client/output/words.ts";
import type { StorageOrder } from "../../proto/gen/hps/v1/agent_pb.ts";
import {
  type Installation,
  InstallationState,
  InstallationStateSchema,
  Outcome,
  OutcomeSchema,
  type WatchInstallationResponse,
} from "../../proto/gen/hps/v1/installation_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { InstallRack } from "./install-rack.ts";
import { limit } from "./vm/calibrate.ts";
import type { Vm } from "./vm/vm.ts";

/** From anywhere in an installation to the next thing a test waits for, usually. */
const WAIT_SECONDS = 300;
/** Ends of hope, for who waits for anything else. */
const STUCK: readonly InstallationState[] = [
  InstallationState.FAILED,
  InstallationState.FROZEN,
  InstallationState.ENDED,
];

interface Entry {
  readonly kind: "started" | "progress" | "change" | "other";
  readonly step?: string;
  /** Of the step, from 0 to 1. */
  readonly share?: number;
  readonly to?: InstallationState;
  readonly reason?: string;
}

/** An installation, followed in its journal: each wait begins behind what the last one found. */
export class FollowedInstallation {
  readonly id: string;
  readonly #rack: InstallRack;
  readonly #vm: Vm;
  #after = 0n;

  private constructor(rack: InstallRack, vm: Vm, id: string) {
    this.#rack = rack;
    this.#vm = vm;
    this.id = id;
  }

  /** Arms the host that this machine is, with the rack's image unless told. */
  static async arm(
    rack: InstallRack,
    vm: Vm,
    { image = rack.image, ...storage }: Partial<Pick<StorageOrder, "disk" | "wipe"> & { readonly image: string }> = {},
  ): Promise<FollowedInstallation> {
    const { id } = await rack.hps.hosts.armHost({ host: `lab/${vm.name}`, image, storage });
    return new FollowedInstallation(rack, vm, id);
  }

  /** The one that this machine's host has now, from its first word on. */
  static async newest(rack: InstallRack, vm: Vm): Promise<FollowedInstallation> {
    const { installations } = await rack.hps.installations.listInstallations({ host: `lab/${vm.name}`, pageSize: 1 });
    const [found] = installations;
    if (found === undefined) throw new HpsError("not-found", `${vm.name} has had no installation`);
    return new FollowedInstallation(rack, vm, found.id);
  }

  /** The agent begins this step. */
  async starts(step: string): Promise<void> {
    await this.#find(`start the step ${step}`, (entry) => entry.kind === "started" && entry.step === step);
  }

  /** So much of this step's work is done, from 0 to 1. */
  async progresses(step: string, share: number): Promise<void> {
    const enough = (entry: Entry) => entry.kind === "progress" && entry.step === step && (entry.share ?? 0) >= share;
    await this.#find(`do ${share} of the step ${step}`, enough);
  }

  /** It comes into this state; the reason that was given. */
  async becomes(state: InstallationState): Promise<string> {
    const found = await this.#find(`become ${word(state)}`, (entry) => entry.to === state, state);
    return found.reason ?? "";
  }

  /** It ends, and the installed system has reported. */
  async succeeds(): Promise<void> {
    await this.becomes(InstallationState.ENDED);
    const { outcome, reason } = await this.get();
    if (outcome !== Outcome.SUCCEEDED) throw this.#failure(`ended as ${enumWord(OutcomeSchema, outcome)}: ${reason}`);
  }

  /** As hpsd has it now. */
  async get(): Promise<Installation> {
    return await this.#rack.hps.installations.getInstallation({ installation: this.id });
  }

  /** As an operator with hpsctl. */
  async retry(): Promise<void> {
    const { code, stderr } = await this.#rack.hpsctl("installation", "retry", this.id);
    if (code !== 0) throw this.#failure(`could not be retried: ${stderr}`);
  }

  async #find(what: string, which: (entry: Entry) => boolean, awaited?: InstallationState): Promise<Entry> {
    const limitMs = await limit(WAIT_SECONDS);
    const late = AbortSignal.timeout(limitMs);
    try {
      for await (const event of this.#rack.hps.watchInstallation(this.id, { after: this.#after, signal: late })) {
        const entry = entryOf(event);
        this.#after = event.entry?.sequence ?? this.#after;
        if (which(entry)) return entry;
        if (entry.to !== undefined && entry.to !== awaited && STUCK.includes(entry.to)) {
          throw this.#failure(`became ${word(entry.to)} (${entry.reason}) and did not ${what}`);
        }
      }
    } catch (error) {
      if (!late.aborted) throw error;
    }
    throw this.#failure(`did not ${what}${late.aborted ? ` within ${Math.round(limitMs / 1000)} s` : ""}`);
  }

  #failure(why: string): HpsError {
    return new HpsError("deadline", `the installation of ${this.#vm.name} ${why}\n${this.#vm.console.tail(60)}`);
  }
}

const word = (state: InstallationState) => enumWord(InstallationStateSchema, state);

function entryOf({ entry }: WatchInstallationResponse): Entry {
  if (entry?.entry.case === "change")
    return { kind: "change", to: entry.entry.value.to, reason: entry.entry.value.reason };
  const event = entry?.entry.case === "event" ? entry.entry.value.event : undefined;
  if (event?.case === "stepStarted") return { kind: "started", step: event.value.step };
  if (event?.case !== "stepProgress") return { kind: "other" };
  const { step, done, total } = event.value;
  return { kind: "progress", step, share: total === 0n ? 0 : Number(done) / Number(total) };
}
