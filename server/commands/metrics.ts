import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { CallObservation } from "../../proto/rpc/rpc-server.ts";
import type { Core } from "../core/core.ts";

export interface Metrics {
  readonly registry: Registry;
  readonly onCall: (observation: CallObservation) => void;
  readonly onIncident: () => void;
  /** What was read of a file that an agent fetched. */
  readonly onFileBytes: (bytes: number) => void;
  /** Where to ask how many are fetched now. */
  readonly watchDownloads: (count: () => number) => void;
  /** Where to ask how many web terminals are open now. */
  readonly watchTerminals: (count: () => number) => void;
}

/** Counts and times, no names: what may be read by a collector. */
export function openMetrics(core: Core): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const labelNames = ["method", "code"] as const;
  const registers = [registry];
  const calls = new Histogram({
    name: "hps_rpc_seconds",
    help: "Ended calls by method and code, and how long they took",
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    labelNames,
    registers,
  });
  const incidents = new Counter({
    name: "hps_incidents_total",
    help: "Internal errors that a peer was told of by id",
    registers,
  });
  const fileBytes = new Counter({ name: "hps_file_bytes_total", help: "Bytes of files sent to agents", registers });
  gauge(registry, "hps_agents_attached", "Agents with an open stream", () => [...core.presence.agents()].length);
  gauge(registry, "hps_shell_sessions", "Open shell sessions", () => core.shells.bufferedBytes.size);
  gauge(registry, "hps_shell_buffered_bytes", "Bytes held for shell sessions", () =>
    [...core.shells.bufferedBytes.values()].reduce((sum, bytes) => sum + bytes, 0),
  );
  gauge(
    registry,
    "hps_recording_bytes",
    "Bytes that recordings of shell sessions hold",
    () => core.recordings.room.held,
  );
  return {
    registry,
    onCall: ({ method, code, durationMs }) => calls.observe({ method, code }, durationMs / 1000),
    onIncident: () => incidents.inc(),
    onFileBytes: (bytes) => fileBytes.inc(bytes),
    watchDownloads: (count) => gauge(registry, "hps_file_downloads", "Files that agents fetch now", count),
    watchTerminals: (count) => gauge(registry, "hps_web_terminals", "Web terminals open now", count),
  };
}

function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}
