import type { HostName } from "../../proto/values/host-name.ts";
import type { TargetFile } from "./target-file.ts";

export interface SystemNames {
  readonly hostName: HostName;
  /** Empty: none. */
  readonly domain: string;
  /** The system's own fixed address; undefined where it is leased. */
  readonly address: string | undefined;
  /** 32 hex digits. */
  readonly machineId: string;
}

/** Who the system is, in the files that say so everywhere. */
export function systemFiles({ hostName, domain, address, machineId }: SystemNames): readonly TargetFile[] {
  const names = domain === "" ? hostName : `${hostName}.${domain} ${hostName}`;
  return [
    { path: "etc/hostname", content: `${hostName}\n` },
    {
      path: "etc/hosts",
      content: `127.0.0.1 localhost
${address ?? "127.0.1.1"} ${names}
::1 localhost ip6-localhost ip6-loopback
ff02::1 ip6-allnodes
ff02::2 ip6-allrouters
`,
    },
    { path: "etc/machine-id", content: `${machineId}\n`, mode: 0o444 },
  ];
}
