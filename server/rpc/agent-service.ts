import type { AgentService } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { Handlers } from "../../proto/rpc/handlers.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { Access } from "../core/identity/access.ts";
import type { Caller, InstallerPrincipal } from "../core/identity/principal.ts";
import type { AgentCaller } from "../core/operations/agent-messages.ts";
import type { Agents } from "../core/operations/agents.ts";

type AgentHandlers = Handlers<typeof AgentService, Caller>;

/** What a host is told, as the inventory knows it. */
interface AgentConfiguration {
  readonly hostId: string;
  readonly hostName: string;
  readonly cluster: string;
  readonly domain: string;
  readonly macs: readonly string[];
  readonly addresses: readonly string[];
  readonly profile: string;
  readonly tags: ReadonlyMap<string, string>;
  readonly image: string;
  readonly wipeDiskSerials: readonly string[];
}

export interface AgentServiceDeps {
  readonly access: Access;
  readonly agents: Agents;
  readonly configurationOf: (hostId: string) => Promise<AgentConfiguration>;
  /** PEM of the certificate the installed system will use. */
  readonly issueHostCertificate: (caller: Caller<InstallerPrincipal>, request: Uint8Array) => Promise<string>;
  /** The shells' end of this service. */
  readonly serveShell: AgentHandlers["serveShell"];
}

export function agentService(deps: AgentServiceDeps): AgentHandlers {
  const { access, agents, configurationOf, issueHostCertificate, serveShell } = deps;
  return {
    serveShell,

    attach: (requests, { principal: caller, end }) => agents.attach(agentOf(caller), requests, { end }),

    getConfiguration: async ({ hostId }, { principal: caller }) => {
      const { id } = await access.host(caller, hostId);
      const { tags, macs, addresses, wipeDiskSerials, image, ...names } = await configurationOf(id);
      // An installed system has nothing to install: what is ordered now is for the installer that comes.
      const order = caller.principal.kind === "installer" ? { image, wipeDiskSerials: [...wipeDiskSerials] } : {};
      return { ...names, macs: [...macs], addresses: [...addresses], tags: Object.fromEntries(tags), ...order };
    },

    issueHostCertificate: async ({ installation, certificateRequest }, { principal: caller }) => {
      await access.installation(caller, installation);
      return { certificateChain: await issueHostCertificate(installerOf(caller), certificateRequest) };
    },
  };
}

/** The contract lets only agents in; this is for the compiler, and for a contract that someone loosens. */
function agentOf({ principal, ...call }: Caller): AgentCaller {
  if (principal.kind === "installer" || principal.kind === "host") return { ...call, principal };
  throw new HpsError("denied", "this is for agents");
}

function installerOf({ principal, ...call }: Caller): Caller<InstallerPrincipal> {
  if (principal.kind === "installer") return { ...call, principal };
  throw new HpsError("denied", "this is for installers");
}
