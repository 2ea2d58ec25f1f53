import type { AgentEvent } from "../../../proto/gen/hps/v1/agent_pb.ts";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { Tx } from "../../store/database.ts";
import { type InstallationRow, selectInstallation, updateInstallation } from "../../store/installations.ts";
import { costOf } from "../../store/log-lines.ts";
import { replaceSteps, type StepRow, selectSteps, updateStep } from "../../store/steps.ts";
import type { Compilable } from "../../store/store-handle.ts";
import { actorOfCaller } from "../audit/audit.ts";
import type { HostEvent } from "../hosts/life-cycle.ts";
import { actorOf, type Caller, type InstallerPrincipal } from "../identity/principal.ts";
import type { EventContent, LineContent, MessageDeps } from "./agent-messages.ts";
import { MAX_JOURNAL, MAX_PROGRESS_JOURNAL } from "./limits.ts";
import { OperationRecord } from "./operation-record.ts";
import { storeRebootPaused } from "./reboot-pause.ts";
import { stepsAfter } from "./step-list.ts";

/** States in which an agent is attached. */
const ATTACHED: readonly string[] = ["installing", "interrupted", "failed", "rebooting"];

export interface FoundInstallation {
  readonly row: InstallationRow | undefined;
  readonly steps: readonly StepRow[];
}

/** Messages of one installer, gathered within one transaction and written together. */
export class InstallationBatch {
  readonly #tx: Tx;
  readonly #deps: MessageDeps;
  readonly #caller: Caller<InstallerPrincipal>;
  #row: InstallationRow;
  #stored: readonly StepRow[];
  #steps: readonly StepRow[];
  #record: OperationRecord;
  #logCost = 0;
  /** An agent is at work again: what an operator said to the last one is done. */
  #wentOn = false;

  private constructor(
    tx: Tx,
    deps: MessageDeps,
    caller: Caller<InstallerPrincipal>,
    [row, steps]: readonly [InstallationRow, readonly StepRow[]],
  ) {
    this.#tx = tx;
    this.#deps = deps;
    this.#caller = caller;
    this.#row = row;
    this.#stored = steps;
    this.#steps = steps;
    this.#record = new OperationRecord(row, deps.clock());
  }

  /** What `open` needs of the store. */
  static async find(tx: Tx, id: string): Promise<FoundInstallation> {
    const [row, steps] = await Promise.all([selectInstallation(tx, id), selectSteps(tx, id)]);
    return { row, steps };
  }

  /** `precondition` for an installation that is over. */
  static open(
    tx: Tx,
    deps: MessageDeps,
    caller: Caller<InstallerPrincipal>,
    found: FoundInstallation | undefined,
  ): InstallationBatch {
    const row = openRow(found?.row, caller.principal.installationId);
    return new InstallationBatch(tx, deps, caller, [row, found?.steps ?? []]);
  }

  async add(content: EventContent | LineContent): Promise<void> {
    if (content.kind === "event") {
      await this.#event(content);
    } else {
      this.#logCost += costOf(content.text.length);
      this.#record.log(content.source, content.text);
    }
  }

  /** Writes what was gathered, and `also`. */
  async close(also: readonly Compilable[] = []): Promise<void> {
    const { id } = this.#row;
    if (this.#logCost > 0) await this.#deps.quota.makeRoom(this.#tx, id, this.#logCost);
    this.#logCost = 0;
    const answered = this.#wentOn && this.#row.goOn;
    const changes = updateInstallation(this.#tx, id, { ...this.#record.ends, ...(answered && { goOn: false }) });
    await this.#tx.batch([...this.#record.take(this.#tx, id), ...this.#stepStatements(), changes, ...also]);
    this.#stored = this.#steps;
    this.#tx.afterCommit(() => this.#deps.bell.ring(id));
  }

  async #event({ event, quiet }: EventContent): Promise<void> {
    const { event: content } = event;
    this.#checkState(content.case);
    if (content.case === "rebootPaused") return await this.#pause(content.value.paused);
    this.#wentOn ||= content.case === "stepStarted";
    this.#steps = stepsAfter(this.#steps, content, this.#deps.clock());
    if (!quiet && this.#hasRoom(content.case)) this.#record.enter({ case: "event", value: event });
    if (content.case === "stepFailed") {
      await this.#turn("fail", `step ${content.value.step} failed: ${content.value.reason}`);
    }
    if (content.case === "finished") await this.#turn("finish", "");
  }

  #checkState(what: AgentEvent["event"]["case"]): void {
    const { id, state } = this.#row;
    if (state === "installing" || (isSaidAnyTime(what) && ATTACHED.includes(state))) return;
    throw new HpsError("precondition", `installation ${id} does not go on: it is ${state}`, {
      hint: "wait for the command to proceed",
      details: { state },
    });
  }

  /** What ends a run is always journalled; an agent that fills the journal otherwise is stopped. */
  #hasRoom(what: AgentEvent["event"]["case"]): boolean {
    const { lastJournal } = this.#record.ends;
    if (what === "stepProgress") return lastJournal < MAX_PROGRESS_JOURNAL;
    if (what === "stepFailed" || what === "finished" || lastJournal < MAX_JOURNAL) return true;
    throw new HpsError("exhausted", `the journal of installation ${this.#row.id} is full`, {
      hint: "cancel the installation and find out what its agent does",
    });
  }

  /** A change of state writes the journal itself, so what was gathered goes first. */
  async #turn(event: HostEvent, reason: string): Promise<void> {
    await this.close();
    const { id, clusterId, hostId } = this.#row;
    await this.#deps.life.apply(this.#tx, id, event, { actor: actorOf(this.#caller), reason });
    const details = { host: hostId, event };
    await this.#deps.audit.allowed(this.#tx, actorOfCaller(this.#caller), {
      ...{ target: `installation:${id}`, clusterId, details },
    });
    await this.#readAgain();
  }

  /** Somebody at the machine did what an operator does from afar. */
  async #pause(paused: boolean): Promise<void> {
    await this.close();
    await this.#readAgain();
    const by = { actor: actorOf(this.#caller), reason: "at the machine" };
    await storeRebootPaused(this.#tx, this.#deps, this.#row, { paused, by });
    await this.#readAgain();
  }

  async #readAgain(): Promise<void> {
    const { id } = this.#row;
    this.#row = openRow(await selectInstallation(this.#tx, id), id);
    this.#record = new OperationRecord(this.#row, this.#deps.clock());
  }

  #stepStatements() {
    const { id } = this.#row;
    const before = this.#stored.map(({ name }) => name);
    const same = this.#steps.length === before.length && this.#steps.every(({ name }, at) => name === before[at]);
    if (!same) return replaceSteps(this.#tx, id, this.#steps);
    return this.#steps.filter((step, at) => step !== this.#stored[at]).map((step) => updateStep(this.#tx, id, step));
  }
}

/** What it is going to do, by an agent that started again before it hears that all is done; and what was done at the machine. */
function isSaidAnyTime(what: AgentEvent["event"]["case"]): boolean {
  return what === "plan" || what === "rebootPaused";
}

function openRow(row: InstallationRow | undefined, id: string): InstallationRow {
  if (row?.outcome === "open") return row;
  throw new HpsError("precondition", `installation ${id} is over`, { details: { outcome: row?.outcome ?? "deleted" } });
}
