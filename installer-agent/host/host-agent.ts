import { HpsError } from "../../proto/values/hps-error.ts";
import type { AgentOptions } from "../agent-options.ts";
import { openDirectWay } from "../direct/open-direct-way.ts";
import { factsMessage } from "../link/attach-messages.ts";
import { commandRunner } from "../link/commands.ts";
import { type Identity, loadIdentity } from "../link/identity.ts";
import { Link } from "../link/link.ts";
import { Outbox } from "../link/outbox.ts";
import { Renewal } from "../link/renewal.ts";
import { runAttached } from "../link/run-attached.ts";
import { openShellWith } from "../link/shells.ts";
import { openStateFolder, type StateFolder } from "../link/state-folder.ts";
import type { Health } from "../plan/health.ts";
import { bootReport, readBooted } from "./boot-report.ts";
import { lookAtHealth, watchHealth } from "./health-watch.ts";
import { readHealth } from "./read-health.ts";
import { rebootHost } from "./reboot.ts";

export interface HostOptions extends AgentOptions {
  /** What the kernel was started with. */
  readonly commandLine: string;
  /** How its health is read; a test has no such system. */
  readonly readHealth?: typeof readHealth;
}

/** The agent of an installed system: reports what was booted, stays attached until `signal`, keeps its certificate valid. */
export async function runHost(options: HostOptions, signal: AbortSignal): Promise<void> {
  const { config, log, facts, version, shells } = options;
  const { backoff, heartbeat } = config;
  const folder = await openStateFolder(config.state);
  const { identity, hostId } = await identityIn(folder);
  const booted = await readBooted({ commandLine: options.commandLine, imageFile: folder.image });
  const place = { slot: booted.slot, installationFile: folder.installation };
  const read = (during: AbortSignal) => (options.readHealth ?? readHealth)(place, during);
  let health = await lookAtHealth(read, signal);
  const outbox = new Outbox(config.outbox);
  const renewal = new Renewal({ identity, backoff, log, onRenewed: () => link.reattach() });
  const onCommand = commandRunner(
    {
      proceed: () => refuse("proceed"),
      cancel: () => refuse("cancel"),
      openShell: openShellWith(shells, () => link),
      renew: () => renewal.now(signal),
      pauseReboot: () => refuse("hold a restart"),
      reboot: async (network) => {
        await rebootHost(network, log);
        shells?.announce("this host restarts now, at an operator's word");
      },
      refreshDirectAccess: (on) => direct.refresh(on),
    },
    log,
  );
  const direct = await openDirectWay({ identity, folder, hostId, config, log, shells, link: () => link });
  const hello = () => ({ version, facts: factsMessage(facts), boot: bootReport(booted, health) });
  const link: Link = new Link({
    ...{ identity, version, backoff, heartbeat, log, outbox, hello, onCommand },
    // A host has no work that a Welcome or a new run could change.
    ...{ onWelcome: direct.welcomed, onNewRun: () => undefined, onState: direct.onState },
  });
  const onChange = (now: Health) => {
    health = now;
    outbox.event({ case: "boot", value: bootReport(booted, now) });
  };
  const over = new AbortController();
  void watchHealth(health, { read, onChange, log }, AbortSignal.any([signal, over.signal]));
  await runAttached({ link, renewal, shells, direct }, signal).finally(() => over.abort());
}

async function identityIn(folder: StateFolder): Promise<{ readonly identity: Identity; readonly hostId: string }> {
  const identity = await loadIdentity(folder);
  if (identity?.peer.kind === "host") return { identity, hostId: identity.peer.id };
  throw new HpsError("not-found", "the state folder holds no host's identity", { hint: "install this host with HPS" });
}

function refuse(what: string): never {
  throw new HpsError("precondition", `cannot ${what}: this is the agent of an installed host`);
}
