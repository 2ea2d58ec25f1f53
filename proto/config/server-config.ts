import { z } from "zod";
import { parseAbsolutePath } from "../values/absolute-path.ts";
import {
  type Endpoint,
  endpointOf,
  endpointParts,
  parseEndpoint,
  parseListenEndpoint,
  parsePort,
  parseServerName,
} from "../values/endpoint.ts";
import { type HttpsUrl, parseHttpsUrl } from "../values/https-url.ts";
import { parseIpv4Network } from "../values/ipv4-network.ts";
import { textOf } from "../values/parsed.ts";
import { bootSchema } from "./boot-config.ts";
import type { Environment } from "./overrides.ts";
import { countOrNone, durationBetween, listOf, sizeBetween, wholeNumber, yesOrNo } from "./scalars.ts";
import { readYaml } from "./yaml-file.ts";

const retention = (normal: string) => durationBetween("1h", "3650d").prefault(normal);

const limitsSchema = z.strictObject({
  connections: wholeNumber(1, 1_000_000).prefault("20000"),
  connectionsPerAddress: wholeNumber(1, 1_000_000).prefault("128"),
  /** For a TLS handshake; a silent peer is cut off. */
  handshake: durationBetween("1s", "60s").prefault("10s"),
  /** Of one address at the HTTP doors. */
  requestsPerMinute: wholeNumber(1, 1_000_000).prefault("600"),
  enrolmentsPerMinute: wholeNumber(1, 10_000).prefault("60"),
  /** Kept of one installation's log. */
  logSize: sizeBetween("64KiB", "16GiB").prefault("64MiB"),
  /** Of one image's archive, or of what one upload stores. */
  imageSize: sizeBetween("1MiB", "1TiB").prefault("16GiB"),
  /** Of all that one cluster's library keeps, or the shared one. */
  librarySize: sizeBetween("1MiB", "1PiB").prefault("1PiB"),
});

const certificatesSchema = z.strictObject({
  installer: durationBetween("1h", "7d").prefault("24h"),
  operator: durationBetween("1h", "366d").prefault("30d"),
  host: durationBetween("1d", "366d").prefault("90d"),
  server: durationBetween("1d", "366d").prefault("90d"),
});

const shellSchema = z.strictObject({
  recording: z.enum(["strict", "best-effort"]).prefault("strict"),
  recordings: z
    .strictObject({
      /** Of one session: under strict it ends there. */
      sessionQuota: sizeBetween("64KiB", "1TiB").prefault("256MiB"),
      /** Of all: the oldest that have ended make room. */
      totalQuota: sizeBetween("1MiB", "1PiB").prefault("32GiB"),
      /** After a session's end. */
      keep: retention("400d"),
    })
    .prefault({}),
});

const serverSchema = z.strictObject({
  /** hpsd's own folder: store, certificates, images, recordings. */
  state: textOf(parseAbsolutePath).prefault("/var/lib/hpsd"),
  /** Names and addresses hpsd is reached by: they go into its certificate, the first into claims. */
  server: z.strictObject({ names: listOf(textOf(parseServerName), 32).min(1) }),
  listen: z
    .strictObject({
      grpc: textOf(parseListenEndpoint).prefault("0.0.0.0:7443"),
      https: textOf(parseListenEndpoint).prefault("0.0.0.0:7444"),
    })
    .prefault({}),
  /** Where agents reach hpsd, when not at the first of `server.names` and the ports of `listen`. */
  public: z
    .strictObject({ grpc: textOf(parseEndpoint).optional(), https: textOf(parseHttpsUrl).optional() })
    .prefault({}),
  boot: bootSchema.optional(),
  limits: limitsSchema.prefault({}),
  retention: z
    .strictObject({
      audit: retention("400d"),
      events: retention("90d"),
      logs: retention("30d"),
      /** So many tags of each name of an image the shared library keeps; 0, written none: all. */
      sharedTags: countOrNone(10_000).prefault("none"),
    })
    .prefault({}),
  claims: z.strictObject({ ttl: durationBetween("1m", "1d").prefault("10m") }).prefault({}),
  certificates: certificatesSchema.prefault({}),
  shell: shellSchema.prefault({}),
  log: z
    .strictObject({ level: z.enum(["trace", "debug", "info", "warn", "error", "fatal"]).prefault("info") })
    .prefault({}),
  metrics: z
    .strictObject({
      enabled: yesOrNo.prefault("true"),
      /** Who may read them without a certificate. */
      allow: listOf(textOf(parseIpv4Network)).prefault(["127.0.0.0/8"]),
    })
    .prefault({}),
});

/** All hpsd is told: every value checked, every default filled in, durations in milliseconds, sizes in bytes. */
export type ServerConfig = z.output<typeof serverSchema>;

export interface ServerConfigSource {
  readonly text: string;
  readonly file: string;
  /** `HPSD_LISTEN_GRPC` stands over `listen.grpc`; an unknown `HPSD_...` is an error, save HPSD_CONFIG, which names the file. */
  readonly environment?: Environment;
  /** The values of `--set`, over file and environment. */
  readonly sets?: readonly string[];
}

/** Reads hpsd's configuration; `invalid` errors name file, line and column, the variable, or the flag. */
export function readServerConfig(source: ServerConfigSource): ServerConfig {
  return readYaml(serverSchema, { ...source, prefix: "HPSD", otherVariables: ["HPSD_CONFIG"] });
}

/** Where agents and operators reach this server. `ports` are those really bound, which differ when `listen` says 0. */
export function publicAddresses(
  config: Pick<ServerConfig, "server" | "listen" | "public">,
  ports: { readonly grpc?: number; readonly https?: number } = {},
): { readonly grpc: Endpoint; readonly https: HttpsUrl } {
  const [name] = config.server.names;
  const at = (port: number) => endpointOf(name ?? parseServerName("localhost"), parsePort(String(port)));
  return {
    grpc: config.public.grpc ?? at(ports.grpc ?? endpointParts(config.listen.grpc).port),
    https:
      config.public.https ?? parseHttpsUrl(`https://${at(ports.https ?? endpointParts(config.listen.https).port)}`),
  };
}
