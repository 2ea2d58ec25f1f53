import type { ServerConfig } from "../../proto/config/server-config.ts";
import { endpointParts } from "../../proto/values/endpoint.ts";
import { ERROR_TABLE, HpsError } from "../../proto/values/hps-error.ts";
import { formatTime } from "../../proto/values/time.ts";
import { openIdentity } from "../core/identity/open-identity.ts";
import { lostImages } from "../core/images/lost-images.ts";
import { SetFolder } from "../core/installers/set-folder.ts";
import type { HpsStore } from "../store/database.ts";
import { bootFindings } from "./check-boot.ts";
import { type CommandContext, type ConfigFlags, openExistingStore, readConfig } from "./command-context.ts";
import { type Finding, findingLine, listenFinding } from "./finding.ts";
import { freeBytes, LOW_DISK_BYTES } from "./store-room.ts";

const SOON_MS = 60 * 24 * 60 * 60 * 1000;

/** Looks at all that `serve` will need; changes nothing but what opening the store migrates. Throws after the list when something is wrong. */
export async function check(flags: ConfigFlags, context: CommandContext): Promise<void> {
  const config = await readConfig(flags, context);
  const findings = [
    { what: `configuration ${flags.config}` },
    await diskOf(config),
    ...(await stateOf(config)),
    await listenFinding(`gRPC address ${config.listen.grpc}`, endpointParts(config.listen.grpc)),
    await listenFinding(`HTTPS address ${config.listen.https}`, endpointParts(config.listen.https)),
    ...(await bootFindings(config)),
  ];
  for (const finding of findings) context.print(findingLine(finding));
  const problems = findings.filter(({ problem }) => problem !== undefined).length;
  if (problems > 0) throw new HpsError("precondition", `${problems} of ${findings.length} checks found a problem`);
}

async function diskOf({ state }: ServerConfig): Promise<Finding> {
  const what = `room in ${state}`;
  const free = await freeBytes(state).catch(() => undefined);
  if (free === undefined) return { what, problem: "the folder does not exist", hint: "run hpsd init" };
  return free >= LOW_DISK_BYTES ? { what } : { what, problem: `only ${Math.floor(free / 1_048_576)} MiB are free` };
}

async function stateOf(config: ServerConfig): Promise<readonly Finding[]> {
  const what = "store and certificate authority";
  try {
    const store = await openExistingStore(config);
    try {
      const broken = await store.integrityCheck();
      if (broken.length > 0) return [{ what, problem: broken.join("; "), hint: "restore a backup" }];
      const { authority } = await openIdentity({ store, stateFolder: config.state, clock: Date.now });
      return [
        { what },
        endOf(authority.intermediateEnd),
        await imagesOf(store, config),
        ...(await installerOf(config)),
      ];
    } finally {
      await store.close();
    }
  } catch (error) {
    if (!(error instanceof HpsError) || ERROR_TABLE[error.code].grpc === ERROR_TABLE.internal.grpc) throw error;
    return [{ what, problem: error.message, hint: error.hint }];
  }
}

async function imagesOf(store: HpsStore, { state }: ServerConfig): Promise<Finding> {
  const lost = await lostImages(store, `${state}/images`);
  if (lost.length === 0) return { what: "images" };
  return { what: "images", problem: `files are gone: ${lost.join(", ")}`, hint: "import the same archives again" };
}

/** Only where machines boot from this hpsd. */
async function installerOf({ boot, state }: ServerConfig): Promise<readonly Finding[]> {
  if (boot === undefined) return [];
  const problem = await SetFolder.problemIn(`${state}/boot`);
  const hint = "hpsctl installer-image import brings one";
  return [problem === undefined ? { what: "installer" } : { what: "installer", problem, hint }];
}

function endOf(end: number): Finding {
  const what = `intermediate, valid until ${formatTime(end)}`;
  return end - Date.now() > SOON_MS
    ? { what }
    : { what, problem: "it ends soon", hint: "rotate it: docs/operations.md" };
}
