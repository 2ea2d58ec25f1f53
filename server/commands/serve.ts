import { isIP } from "node:net";
import { setFlagsFromString } from "node:v8";
import type { BootConfig } from "../../proto/config/boot-config.ts";
import { publicAddresses, type ServerConfig } from "../../proto/config/server-config.ts";
import { settlesWithin } from "../../proto/flow/time-limit.ts";
import { endpointParts } from "../../proto/values/endpoint.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { VERSION } from "../../proto/values/program-version.ts";
import { type Core, openCore } from "../core/core.ts";
import { ServerCredentials } from "../core/identity/server-credentials.ts";
import type { ComponentStatus } from "../core/system/status.ts";
import { systemStatus } from "../core/system/status.ts";
import { HttpsDoor, type HttpsDoorOptions } from "../http/https-door.ts";
import { createRpcDoor } from "../rpc/rpc-door.ts";
import type { HpsStore } from "../store/database.ts";
import { type CommandContext, type ConfigFlags, openExistingStore, readConfig } from "./command-context.ts";
import { type Log, openLog } from "./log.ts";
import { type Metrics, openMetrics } from "./metrics.ts";
import { type RunningBoot, serveBoot } from "./serve-boot.ts";
import { httpsRoutes } from "./serve-https.ts";
import { startJobs } from "./serve-jobs.ts";
import { Serving } from "./serving.ts";
import { watchStoreRoom } from "./store-room.ts";

/** Everything is stopped within this; what is not done then is cut off. */
const STOP_MS = 10_000;
const HEARTBEAT_MS = 30_000;
const GONE_MS = 3 * HEARTBEAT_MS;
/**
 * The young heap stays as small as it begins: what comes and goes with messages is small. Left alone, one wave of agents
 * that attach lets it grow by 90 MB that never go back. Of what can be said to V8 once it runs, only this works.
 */
const YOUNG_HEAP = "--semi-space-growth-factor=1";

/** What was started, last first when it is stopped. */
type Stops = (() => unknown)[];

/** Runs hpsd until `signal`, or until its store fails. Whatever was started is stopped in reverse order. */
export async function serve(flags: ConfigFlags, context: CommandContext, signal: AbortSignal): Promise<void> {
  setFlagsFromString(YOUNG_HEAP);
  const config = await readConfig(flags, context);
  const log = openLog(config.log);
  const stops: Stops = [];
  try {
    const store = await openExistingStore(config);
    stops.push(() => store.close());
    const { grpc, https } = await start({ config, log, store, stops, isRoot: context.isRoot });
    context.print(`hpsd is ready: gRPC ${grpc}, HTTPS ${https}`);
    log.info({ version: VERSION, grpc, https }, "ready");
    const failure = await stopOrFailure(store, signal);
    if (failure !== undefined) throw failure;
    log.info("stopping");
  } finally {
    await stopAll(stops, log);
  }
}

interface Start {
  readonly config: ServerConfig;
  readonly log: Log;
  readonly store: HpsStore;
  readonly stops: Stops;
  readonly isRoot: boolean;
}

async function start(options: Start) {
  const { config, log, stops } = options;
  const ports: { grpc?: number; https?: number } = {};
  const addresses = () => publicAddresses(config, ports);
  const core = await startCore(options, addresses);
  const credentials = await openCredentials(core, options);
  const metrics = openMetrics(core);
  const room = watchStoreRoom(config.state, log);
  stops.push(() => room.stop());
  const components: (() => readonly ComponentStatus[])[] = [() => [room.status()]];
  const serving = new Serving();
  const rpc = openRpc({ core, serving, credentials, metrics, components, ...options });
  stops.push(
    () => rpc.stop(STOP_MS * 0.4),
    () => core.agents.stop(STOP_MS * 0.2),
    () => core.shells.stop(STOP_MS * 0.1),
    async () => core.directAccess[Symbol.dispose](),
  );
  ports.grpc = await rpc.listen({ ...endpointParts(config.listen.grpc), certificate: credentials.current });
  const onError: HttpsDoorOptions["onError"] = ({ error, ...incident }) =>
    log.error({ err: error, ...incident }, "request failed");
  const https = await HttpsDoor.open({
    ...endpointParts(config.listen.https),
    certificate: credentials.current,
    routes: httpsRoutes({ core, metrics, config, serving, addresses, onError }),
    onError,
    limits: { ...limitsOf(config), perMinute: config.limits.requestsPerMinute },
  });
  stops.push(() => https.close(STOP_MS * 0.2));
  credentials.onChange((pair) => https.replaceCertificate(pair));
  ports.https = https.port;
  const boot = await bootOf(core, options);
  if (boot !== undefined) components.push(boot.components, () => [installerStatus(core)]);
  const jobs = startJobs(core, config, (what, error) => log.error({ err: error }, what));
  stops.push(() => jobs.stop());
  stops.push(() => serving.end());
  return addresses();
}

async function startCore(
  { config, log, store, stops }: Start,
  addresses: () => ReturnType<typeof publicAddresses>,
): Promise<Core> {
  const core = await openCore({
    ...{ store, clock: Date.now, version: VERSION, stateFolder: config.state },
    settings: {
      claimTtl: config.claims.ttl,
      contactWindow: config.boot?.window ?? 0,
      lifetimes: config.certificates,
      addresses,
      heartbeat: HEARTBEAT_MS,
      goneAfter: GONE_MS,
      recording: config.shell.recording,
      recordingQuotas: recordingQuotasOf(config),
      logSize: config.limits.logSize,
      imageLimits: { imageSize: config.limits.imageSize, librarySize: config.limits.librarySize },
      sharedTags: config.retention.sharedTags,
      targetLink: config.boot && targetLinkOf(config.boot),
    },
    onError: (what, error) => log.error({ err: error }, what),
  });
  stops.push(() => core.refusals.flush());
  const { waiting, ended } = await core.shells.recover();
  if (waiting > 0) log.info({ sessions: waiting }, "shell sessions of an earlier run wait for their agents");
  if (ended > 0) log.warn({ sessions: ended }, "ended shell sessions that an earlier run left open");
  const missing = await core.images.recover();
  if (missing.length > 0) log.error({ digests: missing }, "files of images are gone: import these images again");
  if (config.boot !== undefined && core.installers.problem !== "") log.warn(core.installers.problem);
  return core;
}

function recordingQuotasOf({ shell: { recordings } }: ServerConfig) {
  const { sessionQuota: sessionBytes, totalQuota: totalBytes, keep: keepMs } = recordings;
  return { sessionBytes, totalBytes, keepMs };
}

function installerStatus({ installers }: Core): ComponentStatus {
  const reason = installers.problem;
  return { name: "installer", health: reason === "" ? "ok" : "degraded", reason };
}

/** As dnsmasq tells machines on the boot network by default: hpsd answers DNS where the configuration names nobody else. */
function targetLinkOf({ network, gateway, nameServers, address, mode }: BootConfig) {
  const own = mode === "dhcp" ? [address] : [];
  return { network, nameServers: nameServers.length > 0 ? nameServers : own, ...(gateway && { gateway }) };
}

async function openCredentials(core: Core, { config, log, stops }: Start): Promise<ServerCredentials> {
  const { names } = config.server;
  const credentials = await ServerCredentials.open({
    ...core,
    name: "hpsd",
    dnsNames: names.filter((name) => isIP(name) === 0),
    ipAddresses: names.filter((name) => isIP(name) !== 0),
    onError: (error) => log.error({ err: error }, "renewing the server certificate"),
  });
  stops.push(() => credentials.close());
  return credentials;
}

interface RpcNeeds extends Start {
  readonly serving: Serving;
  readonly core: Core;
  readonly credentials: ServerCredentials;
  readonly metrics: Metrics;
  readonly components: readonly (() => readonly ComponentStatus[])[];
}

function openRpc({ core, serving, credentials, metrics, components, config, log }: RpcNeeds) {
  const startedAt = core.clock();
  return createRpcDoor({
    ...{ core, credentials, version: VERSION, onCall: metrics.onCall },
    limits: limitsOf(config),
    onError: ({ id, method, error }) => {
      metrics.onIncident();
      log.error({ err: error, incident: id, method }, "call failed");
    },
    status: (clusters) => {
      const sources = components.flatMap((source) => source()).map((status) => () => status);
      return systemStatus(
        { version: VERSION, startedAt, components: sources, agents: () => core.presence.agents() },
        clusters,
      );
    },
    health: serving,
  });
}

/** What both doors grant a peer before they know it. */
function limitsOf({ limits: { connections, connectionsPerAddress, handshake } }: ServerConfig) {
  return { connections, connectionsPerAddress, handshakeMs: handshake };
}

async function bootOf(core: Core, { config, log, stops, isRoot }: Start): Promise<RunningBoot | undefined> {
  if (config.boot === undefined) return undefined;
  const running = await serveBoot({ core, config, boot: config.boot, log, isRoot });
  stops.push(() => running.stop());
  return running;
}

/** Resolves with the failure of the store, or with nothing when hpsd is told to stop. */
async function stopOrFailure(store: HpsStore, signal: AbortSignal): Promise<HpsError | undefined> {
  const told = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  return await Promise.race([told, store.failed]);
}

async function stopAll(stops: Stops, log: Log): Promise<void> {
  const stopping = (async () => {
    for (const stop of stops.reverse()) {
      try {
        await stop();
      } catch (error) {
        log.error({ err: error }, "stopping");
      }
    }
  })();
  if (!(await settlesWithin(stopping, STOP_MS))) {
    throw new HpsError("deadline", `hpsd did not stop within ${STOP_MS / 1000} s`, {
      hint: "its log tells what it waited for",
    });
  }
}
