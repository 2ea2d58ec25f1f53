import { AGENT_PROGRAM } from "../../proto/values/agent-program.ts";
import type { TargetFile } from "./target-file.ts";

/** Where the state partition is mounted in the installed system, and what it holds. */
export const STATE_PLACE = "/var/lib/hps";
export const STATE = {
  agent: "agent",
  identity: "identity",
  ssh: "ssh",
  journal: "journal",
  slot: "slot",
  imageKeys: "image-keys",
} as const;

/**
 * The unit that runs the host agent.
 */
export function agentUnit(): readonly TargetFile[] {
  const path = "etc/systemd/system/hps-agent.service";
  return [
    {
      path,
      content: `# Written by the HPS installer.
[Unit]
Description=HPS host agent
RequiresMountsFor=${STATE_PLACE}
Wants=network-online.target
After=network-online.target
# It is what hpsd reaches this host by: it is started again for ever, six times a minute at most.
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=${AGENT_PROGRAM.join(" ")} --mode host --state ${STATE_PLACE}/${STATE.identity}
Restart=always
RestartSec=10
TimeoutStartSec=60
TimeoutStopSec=20
# Shells that operators opened are its children and end with it.
KillMode=control-group
UMask=0077

[Install]
WantedBy=multi-user.target
`,
    },
    { path: "etc/systemd/system/multi-user.target.wants/hps-agent.service", link: `/${path}` },
  ];
}
