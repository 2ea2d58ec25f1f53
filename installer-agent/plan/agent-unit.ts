import type { TargetFile } from "./target-file.ts";

/** Where the state partition is mounted in the installed system, and what it holds. */
export const STATE_PLACE = "/var/lib/hps";
export const STATE = { agent: "agent", identity: "identity", ssh: "ssh", journal: "journal", slot: "slot" } as const;

/** Of the agent's folder: the C library's loader and the libraries beside it. */
export const AGENT_LOADER = "lib/ld-linux-x86-64.so.2";
export const AGENT_LIBRARIES = "lib";

/**
 * The unit that runs the host agent. It runs by its own loader and libraries from the state partition, so it needs
 * nothing of the image and is the same whichever slot is started.
 */
export function agentUnit(): readonly TargetFile[] {
  const agent = `${STATE_PLACE}/${STATE.agent}`;
  const program = `${agent}/${AGENT_LOADER} --library-path ${agent}/${AGENT_LIBRARIES} ${agent}/node ${agent}/hps-agent.js`;
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
ExecStart=${program} --mode host --state ${STATE_PLACE}/${STATE.identity}
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
