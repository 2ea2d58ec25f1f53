import type { Claim } from "../../proto/config/claim.ts";
import type { AgentService, Welcome } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { Client } from "../../proto/rpc/rpc-client.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { AgentOptions } from "../agent-options.ts";
import { type EventBody, factsMessage } from "../link/attach-messages.ts";
import { commandRunner } from "../link/commands.ts";
import { claimDigest, enrol } from "../link/enrol.ts";
import { filesOf } from "../link/files.ts";
import type { Identity } from "../link/identity.ts";
import { Link } from "../link/link.ts";
import { Outbox } from "../link/outbox.ts";
import { Renewal } from "../link/renewal.ts";
import { runAttached } from "../link/run-attached.ts";
import { openShellWith } from "../link/shells.ts";
import { openStateFolder } from "../link/state-folder.ts";
import type { Log } from "../log.ts";
import { type ClockReport, checkClock, checkClockOnce, clockSentence } from "./clock-check.ts";
import { hostCertificates } from "./host-certificates.ts";
import { configurationSource } from "./host-configuration.ts";
import { InstallationRecord } from "./installation-record.ts";
import { Restart } from "./restart.ts";
import { Sequence } from "./sequence.ts";
import type { Job } from "./step.ts";
import { STEPS } from "./steps.ts";
import { machineTarget } from "./target.ts";
import { toolsImage } from "./tools.ts";

export interface InstallerOptions extends AgentOptions {
  readonly claim: Claim;
  /** UTC milliseconds: when this agent was built. */
  readonly built: number;
  /** Absent: the clock is left as it is. */
  readonly setClock?: (time: number) => Promise<void>;
  /** Restarts the machine that was installed; absent: the agent ends in its place. */
  readonly restart?: (log: (line: string) => void) => Promise<void>;
}

/** Installs one host: clock, enrolment, then attached until `signal` or the end of the installation, which it throws. */
export async function runInstaller(options: InstallerOptions, signal: AbortSignal): Promise<void> {
  const { claim, config, log, facts } = options;
  const folder = await openStateFolder(config.state);
  const { setClock, built } = options;
  const clock = await checkClockOnce(folder.clock, claimDigest(claim), () =>
    checkClock({ claim, built, now: Date.now, ...(setClock && { set: setClock }) }),
  );
  log[clock.action === "none" ? "info" : "warn"](clockSentence(clock));
  const identity = await enrol({ claim, facts, folder, backoff: config.backoff, log }, signal);
  await install(options, { identity, clock }, signal);
}

/** Why the agent leaves when everything is installed. */
const RESTART = new HpsError("cancelled", "the machine restarts into the installed system");

interface Start {
  readonly identity: Identity;
  readonly clock: ClockReport;
}

/** The wiring: hpsd's words drive the sequence, the sequence's go to hpsd. */
async function install(options: InstallerOptions, { identity, clock }: Start, signal: AbortSignal): Promise<void> {
  const { claim, config, log, facts, version, shells } = options;
  const { backoff, heartbeat } = config;
  const over = new AbortController();
  const stop = AbortSignal.any([signal, over.signal]);
  const outbox = new Outbox(config.outbox);
  const record = new InstallationRecord();
  const renewal = new Renewal({ identity, backoff, log, onRenewed: () => link.reattach() });
  const onCommand = commandRunner(
    {
      proceed: (doneSteps) => sequence.permit(doneSteps),
      cancel: (reason) => over.abort(new HpsError("cancelled", `the installation was cancelled: ${reason}`)),
      openShell: openShellWith(shells, () => link.service()),
      renew: () => renewal.now(stop),
      pauseReboot: (paused) => {
        restart.paused = paused;
      },
      reboot: () => refuseReboot(),
    },
    log,
  );
  const onWelcome = (welcome: Welcome) => follow(welcome, { claim, outbox, sequence, restart });
  const hello = () => ({ version, facts: factsMessage(facts) });
  const onNewRun = () => sequence.restart();
  const link: Link = new Link({
    ...{ identity, version, backoff, heartbeat, log, outbox },
    ...{ hello, onWelcome, onNewRun, onCommand },
  });
  const service = () => link.service();
  const configuration = configurationSource({ service, ...claim, backoff });
  const job = jobOf(options, { identity, clock, service, record, configuration: configuration.ask });
  const voice = voiceOf(outbox, log, { record, onFailed: configuration.forget });
  const restart = new Restart({
    ...voice,
    outbox,
    openShells: () => shells?.count ?? 0,
    onReady: () => over.abort(RESTART),
  });
  const onIdle = () => void restart.whenInstalled(configuration.ask, stop);
  const sequence = new Sequence({ steps: STEPS, job, log, ...voice, onIdle });
  const working = sequence.run(stop);
  const attached = runAttached({ link, renewal, shells }, stop).finally(() => over.abort());
  const [end] = await Promise.allSettled([attached, working]);
  if (over.signal.reason === RESTART) return options.restart?.((line) => log.info(line));
  if (end.status === "rejected") throw end.reason;
  if (over.signal.reason instanceof HpsError) throw over.signal.reason;
}

interface JobParts extends Start, Pick<Job, "configuration" | "record"> {
  readonly service: () => Client<typeof AgentService>;
}

/** What the steps work with. */
function jobOf({ claim, config, facts }: InstallerOptions, parts: JobParts): Job {
  const { identity, clock, service, record, configuration } = parts;
  const { backoff } = config;
  return {
    ...{ clock, facts, configuration, record, contact: identity.contact },
    hostCertificate: hostCertificates(service, { installation: claim.installation, backoff }),
    ...{ files: filesOf({ identity, backoff }), tools: toolsImage, target: machineTarget },
  };
}

/** How the sequence speaks: to hpsd, and with `say` to the console too. After a failure hpsd may say something else than before. */
function voiceOf(outbox: Outbox, log: Log, { record, onFailed }: Listening) {
  const line = (source: string, text: string) => {
    outbox.log(source, text);
    record.line(source, text);
  };
  const say = (text: string) => {
    log.info(text);
    line("agent", text);
  };
  const event = (body: EventBody) => {
    outbox.event(body);
    record.event(body);
    if (body.case === "stepFailed") onFailed();
  };
  return { event, line, say };
}

interface Listening {
  readonly record: InstallationRecord;
  readonly onFailed: () => void;
}

function refuseReboot(): never {
  throw new HpsError("precondition", "cannot reboot: this machine is being installed, and restarts when that is done");
}

interface Following {
  readonly claim: Claim;
  readonly outbox: Outbox;
  readonly sequence: Sequence;
  readonly restart: Restart;
}

/** What a Welcome means for the work. */
function follow(welcome: Welcome, { claim, outbox, sequence, restart }: Following): void {
  if (welcome.hostId !== claim.host || welcome.installation !== claim.installation) {
    throw new HpsError("precondition", "hpsd takes this agent for that of another host or installation");
  }
  restart.paused = welcome.rebootPaused;
  // While hpsd has not heard that a step failed, its leave to work is from before: a failed step is not tried again by it.
  if (!welcome.proceed) sequence.hold();
  else if (!outbox.owesFailure) sequence.permit(welcome.doneSteps);
}
