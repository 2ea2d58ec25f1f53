import { expect, test } from "vitest";
import { startInstallRack } from "../lab/install-rack.ts";
import { limit } from "../lab/vm/calibrate.ts";
import { reserveGuests } from "../lab/vm/slots.ts";

const GIB = 1024 ** 3;
/** All three, on two cores. */
const INSTALL_SECONDS = 600;
const PATIENCE = 120 * 60_000;
const NAMES = ["web01", "web02", "web03"] as const;

test("from one image three hosts at once, and each is its own: name, machine-id, SSH key, file systems", {
  timeout: PATIENCE,
}, async () => {
  await using rack = await startInstallRack();
  await using slots = await reserveGuests(NAMES.length);
  await using machines = new AsyncDisposableStack();
  const vms = [];
  for (const [at, name] of NAMES.entries()) {
    const vm = await rack.addMachine({
      name,
      firmware: at === 1 ? "uefi" : "bios",
      disks: [{ bus: "virtio", bytes: 24 * GIB }],
      nics: [{ mac: `52:54:00:00:03:0${at + 1}` }],
      slots,
    });
    vms.push(machines.use(vm));
  }
  const installing = await rack.arm("web[01-03]");
  await Promise.all(vms.map((vm) => vm.powerOn()));
  expect(await installing.end(await limit(INSTALL_SECONDS)), installing.program.output()).toBe(0);

  const say = async (host: string, command: string) => {
    const done = await rack.hpsctl("installer-shell", host, "--", "sh", "-c", command);
    expect(done.code, `${host}: ${command}: ${done.stderr}`).toBe(0);
    return done.stdout.trim();
  };
  const same = (values: readonly string[]) => new Set(values).size !== values.length || values.includes("");
  for (const own of [
    "hostname",
    "cat /etc/machine-id",
    "cat /etc/ssh/ssh_host_ed25519_key.pub",
    "blkid -o value -s UUID | sort",
  ]) {
    const said = await Promise.all(NAMES.map((name) => say(name, own)));
    expect(same(said), `${own}: ${said.join(" / ")}`).toBe(false);
  }
  expect(await say("web02", "hostname")).toBe("web02");
  const hosts = await Promise.all(
    NAMES.map(async (name) => JSON.parse((await rack.hpsctl("host", "get", name, "-o", "json")).stdout)),
  );
  expect(hosts.map(({ state, attached }) => ({ state, attached }))).toEqual(
    NAMES.map(() => ({ state: "HOST_STATE_INSTALLED", attached: true })),
  );
});
