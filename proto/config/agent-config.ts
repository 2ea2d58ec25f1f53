import { z } from "zod";
import { DIRECT_PORT } from "../direct/list.ts";
import { parseAbsolutePath } from "../values/absolute-path.ts";
import { textOf } from "../values/parsed.ts";
import type { Environment } from "./overrides.ts";
import { durationBetween, sizeBetween, wholeNumber } from "./scalars.ts";
import { readYaml } from "./yaml-file.ts";

const agentSchema = z.strictObject({
  /** The agent's own folder: key, certificate, unsent events. */
  state: textOf(parseAbsolutePath).prefault("/var/lib/hps-agent"),
  heartbeat: durationBetween("100ms", "5m").prefault("30s"),
  /** Waits between attempts to reach hpsd: doubled each time, jittered, never longer than `max`. */
  backoff: z
    .strictObject({
      min: durationBetween("10ms", "1m").prefault("500ms"),
      max: durationBetween("100ms", "10m").prefault("30s"),
    })
    .prefault({})
    .refine(({ min, max }) => min <= max, "min is longer than max"),
  /** The way into this host while hpsd is away, where its cluster has it on. */
  direct: z
    .strictObject({
      /** The port it lets operators in at; 0: any free one. */
      port: wholeNumber(0, 65_535).prefault(String(DIRECT_PORT)),
      /** How long hpsd must have been lost. */
      lostFor: durationBetween("1s", "1h").prefault("60s"),
      /** What the recording of one session may hold before the session is ended. */
      sessionSize: sizeBetween("64KiB", "256MiB").prefault("64MiB"),
      /** What all recordings may hold that hpsd has not taken yet. */
      size: sizeBetween("64KiB", "4GiB").prefault("128MiB"),
    })
    .prefault({}),
  /** What may wait for an acknowledgement before log lines are dropped, and said to be. */
  outbox: sizeBetween("64KiB", "256MiB").prefault("8MiB"),
});

/** How an agent behaves; what it may do is in its claim and certificate. */
export type AgentConfig = z.output<typeof agentSchema>;

/** Reads the agent's settings: file, then `HPS_AGENT_HEARTBEAT` and the like, then `--set`. All have defaults; the text may be empty. HPS_AGENT_CONFIG may name the file. */
export function readAgentConfig(source: {
  readonly text: string;
  readonly file: string;
  readonly environment?: Environment;
  readonly sets?: readonly string[];
}): AgentConfig {
  return readYaml(agentSchema, { ...source, prefix: "HPS_AGENT", otherVariables: ["HPS_AGENT_CONFIG"] });
}
