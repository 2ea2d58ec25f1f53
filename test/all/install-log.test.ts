import { expect } from "vitest";
import { InstallationState } from "../../proto/gen/hps/v1/installation_pb.ts";
import { FollowedInstallation } from "../lab/followed-installation.ts";
import { alterByte, imageFile } from "../lab/image-damage.ts";
import { type InstallRack, startInstallRack } from "../lab/install-rack.ts";
import { plainMachine } from "../lab/power-cut.ts";
import { limit } from "../lab/vm/calibrate.ts";
import { scenario } from "../runner/scenario.ts";

const HOST = { name: "web01", mac: "52:54:00:00:0b:01" };
const PROXY = [process.execPath, new URL("../lab/cut-proxy.ts", import.meta.url).pathname];
const PORT = "7999";
/** From power-on to the second of an agent's words that it cannot attach, usually. */
const BEACON_SECONDS = 90;

/** The log as an operator reads it, a line an entry, without the times. */
async function logOf({ hpsctl }: InstallRack): Promise<readonly string[]> {
  const { code, stdout, stderr } = await hpsctl("installation", "log", HOST.name);
  expect(code, stderr).toBe(0);
  return stdout.split("\n").map((line) => line.slice(line.indexOf(" ") + 1));
}

scenario("log-kept", async () => {
  await using rack = await startInstallRack({ sets: [`public.grpc=${"10.77.0.1"}:${PORT}`] });
  const proxy = await rack.rack.start({ argv: [...PROXY, PORT, "7443", "silent"], readyLine: /listening/ });
  await using vm = await plainMachine(rack, HOST);
  const installation = await FollowedInstallation.arm(rack, vm);
  await vm.powerOn();

  const beacon = async () => (await logOf(rack)).filter((line) => line.startsWith("beacon: "));
  const away =
    /^beacon: not attached, unauthenticated word from 10\.77\.0\.\d+: step attach: cannot reach 10\.77\.0\.1:7999: /;
  await expect
    .poll(beacon, { timeout: await limit(BEACON_SECONDS), interval: 2_000 })
    .toContainEqual(expect.stringMatching(away));
  expect(await beacon()).toContainEqual(expect.stringMatching(/^beacon: .*info +enrolled /));
  expect((await logOf(rack)).filter((line) => line.startsWith("agent: "))).toEqual([]);
  expect((await installation.get()).attached).toBe(false);

  process.kill(proxy.pid, "SIGUSR1");
  await installation.starts("storage");
  await alterByte(await imageFile(rack));
  await installation.progresses("image", 0.1);
  const working = await logOf(rack);
  const firstWords = working.find((line) => line.startsWith("agent: "));
  expect(firstWords).toMatch(/^agent: .*clock/);
  expect(working).toContainEqual(expect.stringMatching(/^agent: enrolled /));
  expect(working).toContainEqual(expect.stringMatching(/^storage: /));
  expect(await installation.get()).toMatchObject({ state: InstallationState.INSTALLING, attached: true });

  await installation.becomes(InstallationState.FAILED);
  const failed = await logOf(rack);
  const isOf = (source: string) => (line: string) => line.startsWith(`${source}: `);
  expect(failed.slice(0, working.length - 1)).toEqual(working.slice(0, -1));
  expect(failed.filter(isOf("image")).length).toBeGreaterThan(0);
});
