import type { AbsolutePath } from "../values/absolute-path.ts";
import type { ServerName } from "../values/endpoint.ts";

/** The file `hpsd init` writes: what must be said, and the rest as comments that show the defaults. */
export function defaultServerConfig(given: {
  readonly state: AbsolutePath;
  readonly names: readonly ServerName[];
}): string {
  return `# hpsd's configuration. A line that begins with # and no space shows a default: take the # away to change it.
# Every setting can also be given as HPSD_LISTEN_GRPC=... or --set listen.grpc=...; the flag wins, then the variable.

# hpsd's own folder: store, certificates, images, recordings.
state: ${JSON.stringify(given.state)}

# Names and addresses hpsd is reached by. They go into its certificate; agents use the first.
server:
  names: [${given.names.map((name) => JSON.stringify(name)).join(", ")}]

# gRPC with client certificates only; HTTPS for enrolment, image data and metrics.
#listen:
#  grpc: 0.0.0.0:7443
#  https: 0.0.0.0:7444

# Where agents reach hpsd when it is not the first name and the ports above:
# public:
#   grpc: hpsd.example.org:7443
#   https: https://hpsd.example.org:7444

# The boot door. Off until this section is there. mode: dhcp gives addresses, proxy leaves that to your DHCP server.
# boot:
#   interface: eth1
#   address: 192.0.2.1
#   mode: dhcp
#   network: 192.0.2.0/24
#   range: { from: 192.0.2.100, to: 192.0.2.199 }
#   gateway: 192.0.2.1
#   nameServers: [192.0.2.1]
#   leaseTime: 1h
#   port: 7080
#   window: 10m
#   consoles: [tty0, "ttyS0,115200n8"]
#   kernelArguments: []

# What one peer, and all of them, may take.
#limits:
#  connections: 20000
#  connectionsPerAddress: 128
#  handshake: 10s
#  requestsPerMinute: 600
#  enrolmentsPerMinute: 60
#  logSize: 64MiB
#  imageSize: 16GiB
#  librarySize: 1PiB

# How long things are kept; sharedTags: how many of the newest tags of each image the shared library keeps (none: all).
#retention:
#  audit: 400d
#  events: 90d
#  logs: 30d
#  sharedTags: none

# How long a claim can be used.
#claims:
#  ttl: 10m

# How long certificates are valid.
#certificates:
#  installer: 24h
#  operator: 30d
#  host: 90d
#  server: 90d

# strict: no shell without a recording. best-effort: the operator is told when there is none.
# recordings: how large one may become (under strict its session ends there), how much all together hold (the oldest make
# room), and how long they are kept.
#shell:
#  recording: strict
#  recordings: { sessionQuota: 256MiB, totalQuota: 32GiB, keep: 400d }

# trace, debug, info, warn, error or fatal.
#log:
#  level: info

# Prometheus metrics at /metrics of the HTTPS port, and who may read them without a certificate.
#metrics:
#  enabled: true
#  allow: [127.0.0.0/8]
`;
}
