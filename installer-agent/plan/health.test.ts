import { expect, test } from "vitest";
import { healthOf } from "./health.ts";

const disk = { slot: "a", rootIsSlots: true, stateMounted: true };
const system = { state: "running", failed: [] };

test("a system on its own slot, with its state, started to the end, is healthy", () => {
  expect(healthOf({ disk, system })).toEqual({ healthy: true, reason: "", starting: false });
  expect(healthOf({ disk: undefined, system: undefined })).toMatchObject({ healthy: true });
});

test("units that failed are named and no reason", () => {
  const failed = Array.from({ length: 10 }, (_, at) => `u${at}.service`);
  const health = healthOf({ disk, system: { state: "degraded", failed } });
  expect(health).toMatchObject({ healthy: true, starting: false });
  expect(health.reason).toBe(
    "failed units: u0.service, u1.service, u2.service, u3.service, u4.service, u5.service, u6.service, u7.service and 2 more",
  );
});

test("what is not as it was installed is said, all of it", () => {
  expect(healthOf({ disk: { slot: "b", rootIsSlots: false, stateMounted: false }, system }).reason).toBe(
    "the root file system is not that of slot b; the state partition is not mounted at /var/lib/hps",
  );
  expect(healthOf({ disk: { ...disk, slot: "" }, system })).toMatchObject({
    healthy: false,
    reason: "the kernel was started without a slot",
  });
});

test("a system that is being started is not healthy yet; one in another state is not healthy", () => {
  const starting = { healthy: false, reason: "the system is still starting", starting: true };
  for (const state of ["starting", "initializing", ""]) {
    expect(healthOf({ disk, system: { state, failed: [] } })).toEqual(starting);
  }
  expect(healthOf({ disk, system: { state: "maintenance", failed: ["x.mount"] } })).toEqual({
    healthy: false,
    reason: "systemd says that the system is maintenance; failed units: x.mount",
    starting: false,
  });
});
