import type { Facts } from "../../proto/values/facts.ts";
import type { Contact } from "../link/contact.ts";
import type { Files } from "../link/files.ts";
import type { ClockReport } from "./clock-check.ts";
import type { HostConfiguration } from "./host-configuration.ts";
import type { InstallationRecord } from "./installation-record.ts";
import type { Target } from "./target.ts";
import type { Tools } from "./tools.ts";

/** What all steps of one installation share. */
export interface Job {
  /** What was found, and done, before enrolment. */
  readonly clock: ClockReport;
  readonly facts: Facts;
  /** The network cards, a line each; absent where the agent did not bring them up itself. */
  readonly links?: (() => Promise<readonly string[]>) | undefined;
  /** The host's configuration, asked for once; also when the step of that name was done by an earlier run. */
  readonly configuration: (signal: AbortSignal) => Promise<HostConfiguration>;
  /** What is asked next is asked of hpsd anew: it may say something else by now. */
  readonly forgetConfiguration: () => void;
  /** Where hpsd is and whom to believe: what the installed system is told too. */
  readonly contact: Contact;
  /** The chain (PEM) for a PKCS#10 request of the host's own key; waits for an hpsd that is away. */
  readonly hostCertificate: (request: Uint8Array<ArrayBuffer>, signal: AbortSignal) => Promise<string>;
  /** What the configuration names, from hpsd. */
  readonly files: Files;
  readonly tools: Tools;
  /** What is being installed. */
  readonly target: Target;
  /** What was said and done so far. */
  readonly record: Pick<InstallationRecord, "log" | "journal">;
}

/** What one run of one step is given. */
export interface StepContext {
  readonly job: Job;
  /** Aborted when the installation is cancelled or the agent stops. */
  readonly signal: AbortSignal;
  /** One line for the console and for the installation's log. */
  readonly log: (line: string) => void;
  readonly progress: (done: number, total: number, unit: string) => void;
}

/** One named part of an installation. To add one: a file in `steps/`, a line in `steps.ts`. `run` throws to fail, and may be run again. */
export interface Step {
  readonly name: string;
  /** Only done where something is to be installed: not in a rescue. */
  readonly installs?: boolean;
  readonly run: (context: StepContext) => Promise<void>;
}
