import type { AgentService } from "../../proto/gen/hps/v1/agent_pb.ts";
import type { Handlers } from "../../proto/rpc/handlers.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { HostConfiguration } from "../core/hosts/host-configuration.ts";
import type { Access } from "../core/identity/access.ts";
import type { Caller, InstallerPrincipal } from "../core/identity/principal.ts";
import type { Agents } from "../core/operations/agents.ts";
import { agentOf } from "./agent-caller.ts";
import { configurationMessage } from "./configuration-message.ts";
import type { DirectMethods } from "./direct-methods.ts";

type AgentHandlers = Handlers<typeof AgentService, Caller>;

export interface AgentServiceDeps {
  readonly access: Access;
  readonly agents: Agents;
  readonly configurationOf: (of: { hostId: string; forInstaller: boolean }) => Promise<HostConfiguration>;
  /** PEM of the certificate the installed system will use. */
  readonly issueHostCertificate: (caller: Caller<InstallerPrincipal>, request: Uint8Array) => Promise<string>;
  /** The shells' end of this service. */
  readonly serveShell: AgentHandlers["serveShell"];
  /** For the time when hpsd is away. */
  readonly direct: DirectMethods;
}

export function agentService(deps: AgentServiceDeps): AgentHandlers {
  const { access, agents, configurationOf, issueHostCertificate, serveShell } = deps;
  return {
    serveShell,
    ...deps.direct,

    attach: (requests, { principal: caller, end }) => agents.attach(agentOf(caller), requests, { end }),

    getConfiguration: async ({ hostId }, { principal: caller }) => {
      const { id } = await access.host(caller, hostId);
      const forInstaller = caller.principal.kind === "installer";
      return configurationMessage(await configurationOf({ hostId: id, forInstaller }));
    },

    issueHostCertificate: async ({ installation, certificateRequest }, { principal: caller }) => {
      await access.installation(caller, installation);
      return { certificateChain: await issueHostCertificate(installerOf(caller), certificateRequest) };
    },
  };
}

function installerOf({ principal, ...call }: Caller): Caller<InstallerPrincipal> {
  if (principal.kind === "installer") return { ...call, principal };
  throw new HpsError("denied", "this is for installers");
}
