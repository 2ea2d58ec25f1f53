/** The agent of a host that is armed, as far as its step `image` is concerned. */
import { mkdirSync } from "node:fs";
import { tlsKeyPair } from "../../certs/credentials.ts";
import { configurationSource } from "../../installer-agent/install/host-configuration.ts";
import type { PacksOrder } from "../../installer-agent/install/install-order.ts";
import type { Job } from "../../installer-agent/install/step.ts";
import { unpackPacks } from "../../installer-agent/install/unpack-packs.ts";
import { type Files, filesOf } from "../../installer-agent/link/files.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseUuid } from "../../proto/values/uuid.ts";
import type { AgentJob } from "../bench/image-job.ts";
import { type ArmedHost, enrolHost, rawAgent } from "./load-agents.ts";

const BACKOFF = { min: 50, max: 500 };
const LIMIT_MS = 20 * 60_000;

export interface UnpackAgent extends Disposable {
  /** What hpsd tells it to install; asked once. */
  readonly order: () => Promise<PacksOrder>;
  /** Unpacks it in this process, to a folder that it makes; `held` may stand between it and its files. */
  readonly unpack: (root: string, order: PacksOrder, held?: (files: Files) => Files) => Promise<void>;
  /** The same for a process of its own: see `image-agent`. */
  readonly job: (root: string) => Promise<AgentJob>;
}

/** Enrols the host; what it keeps is kept below `folder`. */
export async function makeUnpackAgent(host: ArmedHost, folder: string): Promise<UnpackAgent> {
  const identity = await enrolHost(host, folder, BACKOFF);
  const raw = rawAgent(identity);
  const whose = { host: host.hostId, installation: parseUuid(host.installation) };
  const { ask, forget } = configurationSource({ service: () => raw.service, ...whose, backoff: BACKOFF });
  const signal = AbortSignal.timeout(LIMIT_MS);
  const order = async (): Promise<PacksOrder> => {
    const found = (await ask(signal)).order?.image;
    if (found?.format === "packs") return found;
    throw new HpsError("precondition", `${host.hostId} is not to be installed from packs`);
  };
  return {
    order,
    unpack: async (root, wanted, held = (files) => files) => {
      mkdirSync(root);
      const files = held(filesOf({ identity, backoff: BACKOFF }));
      const job = { files, configuration: ask, forgetConfiguration: forget };
      // Unpacking uses no more of an installation.
      const context = { job: job as Partial<Job> as Job, signal, log: () => undefined, progress: () => undefined };
      await unpackPacks({ root, olds: [] }, wanted, context);
    },
    job: async (root) => {
      const { grpc, https, rootCertificate: ca } = identity.contact;
      return { grpc, https, ca, ...tlsKeyPair(identity.credentials), files: (await order()).files, root, olds: [] };
    },
    [Symbol.dispose]: () => raw[Symbol.dispose](),
  };
}
