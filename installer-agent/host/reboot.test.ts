import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLog } from "../log.ts";
import { rebootHost } from "./reboot.ts";

const GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
const log = createLog("error", () => undefined);

let variables: string;
let restarts: number;
const restart = async () => {
  restarts += 1;
};
beforeEach(async () => {
  variables = await mkdtemp(join(tmpdir(), "hps-efivars-"));
  restarts = 0;
});
afterEach(() => rm(variables, { recursive: true }));

const set = (name: string, hex: string) =>
  writeFile(join(variables, `${name}-${GLOBAL}`), Buffer.from(`07000000${hex}`, "hex"));
/** Active, 37 + 4 bytes of device path, called `x`: a MAC address node, then the end. */
const PXE = `010000002900${"78000000"}030b2500${"00".repeat(33)}7fff0400`;

test("from the network once: the firmware is told which entry, then the machine restarts", async () => {
  await set("BootOrder", "01000300");
  await set("Boot0001", "010000000400780000007fff0400");
  await set("Boot0003", PXE);
  await rebootHost(true, log, { variables, restart });
  expect((await readFile(join(variables, `BootNext-${GLOBAL}`))).toString("hex")).toBe("070000000300");
  expect(restarts).toBe(1);
});

test("where that cannot be had it says so and restarts nothing", async () => {
  await expect(rebootHost(true, log, { variables: join(variables, "none"), restart })).rejects.toMatchObject({
    message: "cannot boot from the network: this machine has a BIOS, which takes no such wish from a running system",
    hint: "somebody has to power-cycle it and let it boot from the network",
  });
  await set("BootOrder", "0100");
  await expect(rebootHost(true, log, { variables, restart })).rejects.toThrow("no entry in its boot order");
  expect(restarts).toBe(0);
  await rebootHost(false, log, { variables, restart });
  expect(restarts).toBe(1);
});
