import type { Claim } from "../../proto/config/claim.ts";
import type { Welcome } from "../../proto/gen/hps/v1/agent_pb.ts";
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
  const renewal = new Renewal({ identity, backoff, log, onRenewed: () => link.reattach() });
  const onCommand = commandRunner(
    {
      proceed: (doneSteps) => sequence.permit(doneSteps),
      cancel: (reason) => over.abort(new HpsError("cancelled", `the installation was cancelled: ${reason}`)),
      openShell: openShellWith(shells, () => link.service()),
      renew: () => renewal.now(stop),
    },
    log,
  );
  const onWelcome = (welcome: Welcome) => follow(welcome, { claim, outbox, sequence });
  const hello = () => ({ version, facts: factsMessage(facts) });
  const onNewRun = () => sequence.restart();
  const link: Link = new Link({
    ...{ identity, version, backoff, heartbeat, log, outbox },
    ...{ hello, onWelcome, onNewRun, onCommand },
  });
  const service = () => link.service();
  const configuration = configurationSource({ service, ...claim, backoff });
  const job: Job = {
    ...{ clock, facts, configuration: configuration.ask },
    contact: identity.contact,
    hostCertificate: hostCertificates(service, { installation: claim.installation, backoff }),
    ...{ files: filesOf({ identity, backoff }), tools: toolsImage, target: machineTarget },
  };
  const sequence = new Sequence({ steps: STEPS, job, log, ...voiceOf(outbox, log, configuration.forget) });
  const working = sequence.run(stop);
  const attached = runAttached({ link, renewal, shells }, stop).finally(() => over.abort());
  const [end] = await Promise.allSettled([attached, working]);
  if (end.status === "rejected") throw end.reason;
  if (over.signal.reason instanceof HpsError) throw over.signal.reason;
}

/** How the sequence speaks: to hpsd, and where it has nothing more to do to the console too. After a failure hpsd may say something else than before. */
function voiceOf(outbox: Outbox, log: Log, onFailed: () => void) {
  const line = (source: string, text: string) => outbox.log(source, text);
  const onIdle = () => {
    log.info("all steps of this agent are done; staying attached");
    line("agent", "all steps of this agent are done; staying attached");
  };
  const event = (body: EventBody) => {
    outbox.event(body);
    if (body.case === "stepFailed") onFailed();
  };
  return { event, line, onIdle };
}

interface Following {
  readonly claim: Claim;
  readonly outbox: Outbox;
  readonly sequence: Sequence;
}

/** What a Welcome means for the work. */
function follow(welcome: Welcome, { claim, outbox, sequence }: Following): void {
  if (welcome.hostId !== claim.host || welcome.installation !== claim.installation) {
    throw new HpsError("precondition", "hpsd takes this agent for that of another host or installation");
  }
  // While hpsd has not heard that a step failed, its leave to work is from before: a failed step is not tried again by it.
  if (!welcome.proceed) sequence.hold();
  else if (!outbox.owesFailure) sequence.permit(welcome.doneSteps);
}
