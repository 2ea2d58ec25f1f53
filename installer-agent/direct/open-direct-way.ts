import type { AgentOptions } from "../agent-options.ts";
import type { Identity } from "../link/identity.ts";
import type { Link, LinkOptions } from "../link/link.ts";
import type { StateFolder } from "../link/state-folder.ts";
import { DirectWay } from "./direct-way.ts";

interface Opening extends Pick<AgentOptions, "config" | "log"> {
  readonly shells: AgentOptions["shells"] | undefined;
  readonly identity: Identity;
  readonly folder: StateFolder;
  readonly hostId: string;
  readonly link: () => Pick<Link, "service">;
}

/** What an agent tells its direct way, and asks of it. */
export interface DirectParts {
  readonly welcomed: LinkOptions["onWelcome"];
  readonly onState: NonNullable<LinkOptions["onState"]>;
  readonly refresh: (on: boolean) => void;
  /** Recordings that wait for hpsd: where the state folder is memory, a restart would lose them. */
  readonly undelivered: () => number;
  readonly stop: () => Promise<void>;
}

const NONE: DirectParts = {
  welcomed: () => undefined,
  onState: () => undefined,
  refresh: () => undefined,
  undelivered: () => 0,
  stop: async () => undefined,
};

/** The direct way of this host; an agent without shells has none. */
export async function openDirectWay({ shells, folder, identity, link, ...options }: Opening): Promise<DirectParts> {
  if (shells === undefined) return NONE;
  const { config, hostId, log } = options;
  const { rootCertificate } = identity.contact;
  const service = () => link().service();
  const way = new DirectWay({
    folder: folder.direct,
    hostId,
    rootCertificate,
    config: config.direct,
    shells,
    service,
    log,
  });
  await way.start();
  return {
    welcomed: (welcome) => way.welcomed(welcome),
    onState: (attached, _why, answered) => way.state(attached, answered),
    refresh: (on) => way.refresh(on),
    undelivered: () => way.undelivered,
    stop: async () => await way.stop(),
  };
}
