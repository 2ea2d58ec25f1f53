import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { backoff, Service, type ServiceState, type SuperviseOptions } from "./supervise.ts";

const started: Service[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((service) => service.stop()));
});

function supervise(script: string, more: Partial<SuperviseOptions> = {}) {
  const states: ServiceState[] = [];
  const lines: string[] = [];
  const service = new Service({
    name: "probe",
    argv: ["sh", "-c", script],
    backoffMs: 5,
    maxBackoffMs: 20,
    onState: (state) => states.push(state),
    onLine: (line) => lines.push(line),
    ...more,
  });
  started.push(service);
  service.start();
  return { service, states, lines };
}

const until = (check: () => void) => vi.waitFor(check, { timeout: 15_000, interval: 5 });

test("runs when the ready line is printed, hands over both streams, and stops", async () => {
  const { service, states, lines } = supervise("echo one; echo up >&2; exec sleep 1000", { readyLine: /^up$/ });
  expect(service.state.status).toBe("starting");
  await until(() => expect(service.state.status).toBe("running"));
  expect(lines.toSorted()).toEqual(["one", "up"]);
  await service.stop();
  expect(states.map((state) => state.status)).toEqual(["starting", "running", "stopped"]);
});

test("one that ends is started again, with the reason shown", async () => {
  const folder = await mkdtemp(join(tmpdir(), "hps-supervise-"));
  try {
    const script = `if mkdir ${folder}/once; then echo first; exit 7; fi; echo up; exec sleep 1000`;
    const { service, states } = supervise(script, { readyLine: /up/ });
    await until(() => expect(service.state).toMatchObject({ status: "running", restarts: 1 }));
    expect(states).toContainEqual({ status: "restarting", reason: "probe: exit 7\nfirst", restarts: 0 });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("is given up after so many quick ends, with the last lines as reason, and can be started anew", async () => {
  const { service, states } = supervise("echo a; echo b; exit 3", { giveUpAfter: 3 });
  await until(() => expect(service.state.status).toBe("failed"));
  expect(service.state).toMatchObject({ reason: "probe: exit 3\na\nb", restarts: 2 });
  const before = states.length;
  service.start();
  await until(() => expect(states.slice(before).map((state) => state.status)).toContain("failed"));
});

test("a program that does not exist fails with its name", async () => {
  const { service } = supervise("", { argv: ["/nowhere/at-all"], giveUpAfter: 2 });
  await until(() =>
    expect(service.state).toMatchObject({ status: "failed", reason: expect.stringContaining("/nowhere/at-all") }),
  );
});

test("one that does not listen to SIGTERM is killed with all it started", async () => {
  const { service, lines } = supervise("trap '' TERM; sleep 1000 & echo $!; wait; wait", { stopMs: 200 });
  await until(() => expect(lines).toHaveLength(1));
  await service.stop();
  await until(() => expect(isAlive(lines[0] ?? "")).toBe(false));
});

test("the pause doubles, is capped, and jitter takes at most half of it", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
      const pause = backoff(attempt, { backoffMs: 500, maxBackoffMs: 30_000 }, random);
      const full = Math.min(500 * 2 ** (attempt - 1), 30_000);
      expect(pause).toBeGreaterThanOrEqual(Math.floor(full / 2));
      expect(pause).toBeLessThanOrEqual(full);
    }),
  );
});

/** A dead program that nobody has reaped, as in a container without an init, has no command line. */
function isAlive(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`).length > 0;
  } catch {
    return false;
  }
}
