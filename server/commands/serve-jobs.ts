import type { ServerConfig } from "../../proto/config/server-config.ts";
import type { Core } from "../core/core.ts";
import { repeat } from "../core/operations/repeat.ts";
import { DEFAULT_RETENTION as KEPT_INSTALLATIONS, pruneInstallations } from "../core/operations/retention.ts";
import { DEFAULT_RETENTION as KEPT_RECORDS, keepBounded } from "../core/system/retention.ts";

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;

/** What hpsd does by itself, again and again: closes windows, notices silent agents, forgets what is too old. */
export function startJobs(core: Core, { retention }: ServerConfig, onError: (what: string, error: unknown) => void) {
  const { clock, installations, presence, authority } = core;
  const deps = { ...core, trustDomain: authority.trustDomain };
  const kept = { ...KEPT_INSTALLATIONS, logMs: retention.logs, installationMs: retention.events };
  const jobs = [
    repeat(() => installations.expireOverdue(), {
      everyMs: SECOND,
      onError: (error) => onError("closing windows", error),
    }),
    repeat(async () => presence.sweep(), {
      everyMs: SECOND,
      onError: (error) => onError("noticing silent agents", error),
    }),
    repeat((signal) => pruneInstallations(deps, kept, signal), {
      everyMs: HOUR,
      onError: (error) => onError("forgetting installations", error),
    }),
    repeat(() => core.passingNames.passAll(), {
      everyMs: HOUR,
      onError: (error) => onError("taking away names of images that go by themselves", error),
    }),
    repeat((signal) => core.collector.collectAll(signal), {
      everyMs: HOUR,
      onError: (error) => onError("collecting what no image needs", error),
    }),
    repeat((signal) => core.recordings.prune(signal), {
      everyMs: HOUR,
      onError: (error) => onError("removing recordings", error),
    }),
  ];
  const installers = repeat(() => core.installers.prune(), {
    everyMs: HOUR,
    onError: (error) => onError("removing old installers", error),
  });
  const stopping = new AbortController();
  const limits = { ...KEPT_RECORDS, auditMs: retention.audit };
  const bounded = {
    ...core,
    clock,
    limits,
    everyMs: HOUR,
    onError: (error: unknown) => onError("forgetting records", error),
  };
  const keeping = keepBounded(bounded, stopping.signal);
  return {
    stop: async () => {
      stopping.abort();
      await Promise.all([keeping, installers.stop(), ...jobs.map((job) => job.stop())]);
    },
  };
}
