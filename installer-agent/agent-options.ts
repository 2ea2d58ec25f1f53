import type { AgentConfig } from "../proto/config/agent-config.ts";
import type { Facts } from "../proto/values/facts.ts";
import type { Shells } from "./link/shells.ts";
import type { Log } from "./log.ts";

/** What both modes are given by main. */
export interface AgentOptions {
  readonly config: AgentConfig;
  readonly facts: Facts;
  readonly log: Log;
  /** Of this agent: `0.1.0`. */
  readonly version: string;
  /** Absent: OpenShell is refused. */
  readonly shells?: Shells;
}
