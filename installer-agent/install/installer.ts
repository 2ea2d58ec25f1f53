import type { Claim } from "../../proto/config/claim.ts";
import type { AgentService, Welcome } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { Client } from "../../proto/rpc/rpc-client.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { AgentOptions } from "../agent-options.ts";
import { type DirectParts, openDirectWay } from "../direct/open-direct-way.ts";
import { factsMessage } from "../link/attach-messages.ts";
import { commandRunner } from "../link/commands.ts";
import { claimDigest, enrol } from "../link/enrol.ts";
import { filesOf } from "../link/files.ts";
import type { Identity } from "../link/identity.ts";
import { Link } from "../link/link.ts";
import type { Outbox } from "../link/outbox.ts";
import { Renewal } from "../link/renewal.ts";
import { runAttached } from "../link/run-attached.ts";
import { openShellWith } from "../link/shells.ts";
import { openStateFolder, type StateFolder } from "../link/state-folder.ts";
import type { Log } from "../log.ts";
import { type ClockReport, checkClock, checkClockOnce, clockSentence } from "./clock-check.ts";
import { hostCertificates } from "./host-certificates.ts";
import { type ConfigurationSource, configurationSource } from "./host-configuration.ts";
import { type Machine, machineText } from "./machine.ts";
import { Restart } from "./restart.ts";
import { Sequence } from "./sequence.ts";
import { Situation, type Standing } from "./situation.ts";
import type { Job } from "./step.ts";
import { STEPS } from "./steps.ts";
import { machineTarget } from "./target.ts";
import { toolsImage } from "./tools.ts";
import { toolsForShells } from "./tools-for-shells.ts";
import { Voice } from "./voice.ts";

export interface InstallerOptions extends AgentOptions {
  readonly claim: Claim;
  /** UTC milliseconds: when this agent was built. */
  readonly built: number;
  /** Absent: the clock is left as it is. */
  readonly setClock?: (time: number) => Promise<void>;
  /** How many milliseconds ago the claim was made, at least; not told, it was just made. */
  readonly claimAge?: () => number;
  /** Hears where the installation stands. */
  readonly situation?: Situation;
  /** Has `hear` called whenever somebody at the machine holds its restart (true) or lets it go. */
  readonly onHold?: (hear: (held: boolean) => void) => void;
  /** Makes the machine fit to reach hpsd; absent: it is already, and `facts` are its facts. */
  readonly machine?: (log: Log) => Promise<Machine>;
  /** Restarts the machine that was installed, or has a system to go back to; absent: the agent ends in its place. */
  readonly restart?: (log: (line: string) => void) => Promise<void>;
}

/** Installs one host: clock, enrolment, then attached until `signal` or the end of the installation, which it throws. */
export async function runInstaller(options: InstallerOptions, signal: AbortSignal): Promise<void> {
  const { claim, config, situation = new Situation() } = options;
  const voice = new Voice(options.log, situation, config.outbox);
  const { log } = voice;
  situation.change({ server: claim.https, machine: machineText(options.facts), doing: "clock" });
  const folder = await openStateFolder(config.state);
  const clock = await checkedClock(options, folder, log);
  const machine = await options.machine?.(log);
  const facts = machine?.facts ?? options.facts;
  situation.change({ doing: "enrolment" });
  const onWait = (wait: Partial<Standing>) => situation.change(wait);
  const identity = await enrol({ claim, facts, folder, backoff: config.backoff, log, onWait }, signal);
  situation.change({ doing: "attach", fingerprint: "", problem: "" });
  await install({ ...options, facts }, { identity, folder, clock, voice, machine }, signal);
}

async function checkedClock(options: InstallerOptions, folder: StateFolder, log: Log): Promise<ClockReport> {
  const { claim, setClock, built } = options;
  const age = options.claimAge?.() ?? 0;
  const clock = await checkClockOnce(folder.clock, claimDigest(claim), () =>
    checkClock({ claim, age, built, now: Date.now, ...(setClock && { set: setClock }) }),
  );
  log[clock.action === "none" ? "info" : "warn"](clockSentence(clock));
  return clock;
}

/** Why the agent leaves when everything is installed. */
const RESTART = new HpsError("cancelled", "the machine restarts into the installed system");

interface Start {
  readonly identity: Identity;
  readonly folder: StateFolder;
  readonly clock: ClockReport;
  readonly voice: Voice;
  readonly machine: Machine | undefined;
}

/** The wiring: hpsd's words drive the sequence, the sequence's go to hpsd. */
async function install(options: InstallerOptions, start: Start, signal: AbortSignal): Promise<void> {
  const { claim, config, facts, version, shells } = options;
  const { identity, voice } = start;
  const { log, outbox, event, line, say } = voice;
  const over = new AbortController();
  const stop = AbortSignal.any([signal, over.signal]);
  const renewal = new Renewal({ identity, backoff: config.backoff, log, onRenewed: () => link.reattach() });
  const onCommand = commandRunner(
    {
      proceed: (doneSteps) => permit(sequence, voice.situation, doneSteps),
      cancel: (reason) => over.abort(new HpsError("cancelled", `the installation was cancelled: ${reason}`)),
      openShell: openShellWith(shells, () => link),
      renew: () => renewal.now(stop),
      pauseReboot: (paused, acknowledged) => restart.order(paused, acknowledged),
      reboot: () => refuseReboot(),
      refreshDirectAccess: (on) => direct.refresh(on),
    },
    log,
  );
  const onWelcome = (welcome: Welcome) =>
    follow(welcome, { claim, outbox, sequence, restart, situation: voice.situation, stop, direct, bringTools });
  const direct = await openDirectWay({ ...start, hostId: claim.host, config, log, shells, link: () => link });
  const link: Link = new Link({
    ...{ identity, version, log, outbox, backoff: config.backoff, heartbeat: config.heartbeat },
    ...{ onWelcome, onCommand, onNewRun: () => sequence.restart(), shellsHold: () => restart.shellsHold },
    hello: () => ({ version, facts: factsMessage(facts) }),
    onState: (attached, why, answered) => {
      voice.situation.attached(attached, why);
      direct.onState(attached, why, answered);
    },
  });
  const service = () => link.service();
  const configuration = configurationSource({ service, ...claim, backoff: config.backoff });
  voice.onFailed(configuration.forget); // hpsd may say something else than before
  const job = jobOf(options, { ...start, service, configuration });
  const bringTools = toolsForShells({ ...job, configuration: configuration.look }, log, stop);
  const restart = new Restart({
    ...{ outbox, event, say, announce: (text: string) => shells?.announce(text) },
    openShells: () => (shells?.count ?? 0) + direct.undelivered(),
    onReady: () => over.abort(RESTART),
  });
  options.onHold?.((held) => restart.holdHere(held));
  const onIdle = () => void restart.whenInstalled(configuration.ask, stop);
  const sequence = new Sequence({ steps: STEPS, job, log: options.log, event, line, onIdle });
  const attached = runAttached({ link, renewal, shells, direct }, stop).finally(() => over.abort());
  await ended(options, log, over.signal, [attached, sequence.run(stop)]);
}

/** When both have ended: the restart, or the reason. */
async function ended(
  { restart }: InstallerOptions,
  log: Log,
  over: AbortSignal,
  both: readonly [Promise<void>, Promise<void>],
): Promise<void> {
  const [end] = await Promise.allSettled(both);
  const why = end.status === "rejected" && over.reason !== RESTART ? end.reason : over.reason;
  if (isToRestart(why)) return restart?.((line) => log.info(line));
  if (end.status === "rejected" || why instanceof HpsError) throw why;
}

/** All is installed, or hpsd ended a rescue on a machine that has a system to go back to. */
function isToRestart(why: unknown): boolean {
  return (
    why === RESTART || (why instanceof HpsError && why.details.reason === "ended" && why.details.restart === "yes")
  );
}

interface JobParts extends Start {
  readonly configuration: ConfigurationSource;
  readonly service: () => Client<typeof AgentService>;
}

/** What the steps work with. */
function jobOf({ claim, config, facts }: InstallerOptions, parts: JobParts): Job {
  const { identity, clock, service, voice, machine } = parts;
  const { backoff } = config;
  const configuration: Job["configuration"] = async (signal) => {
    const known = await parts.configuration.ask(signal);
    voice.situation.change({ host: known.hostName });
    return known;
  };
  return {
    ...{ clock, facts, configuration, forgetConfiguration: parts.configuration.forget },
    ...{ record: voice.record, contact: identity.contact, links: machine?.links },
    hostCertificate: hostCertificates(service, { installation: claim.installation, backoff }),
    ...{ files: filesOf({ identity, backoff }), tools: toolsImage, target: machineTarget },
  };
}

function refuseReboot(): never {
  throw new HpsError("precondition", "cannot reboot: this machine is being installed, and restarts when that is done");
}

interface Following {
  readonly claim: Claim;
  readonly outbox: Outbox;
  readonly sequence: Sequence;
  readonly restart: Restart;
  readonly situation: Situation;
  readonly stop: AbortSignal;
  readonly direct: Pick<DirectParts, "welcomed">;
  readonly bringTools: (doneSteps: readonly string[]) => void;
}

/** What a Welcome means for the work. */
function follow(welcome: Welcome, following: Following): void {
  const { claim, outbox, sequence, restart, situation, stop, direct, bringTools } = following;
  if (welcome.hostId !== claim.host || welcome.installation !== claim.installation) {
    throw new HpsError("precondition", "hpsd takes this agent for that of another host or installation");
  }
  direct.welcomed(welcome);
  bringTools(welcome.doneSteps);
  restart.order(welcome.rebootPaused);
  if (welcome.finished) return void restart.whenKnown(stop);
  // While hpsd has not heard that a step failed, its leave to work is from before: a failed step is not tried again by it.
  if (!welcome.proceed) {
    sequence.hold();
    situation.held(STEPS.find(({ name }) => !welcome.doneSteps.includes(name))?.name);
  } else if (!outbox.owes("stepFailed")) permit(sequence, situation, welcome.doneSteps);
}

function permit(sequence: Sequence, situation: Situation, doneSteps: readonly string[]): void {
  situation.permitted();
  sequence.permit(doneSteps);
}
