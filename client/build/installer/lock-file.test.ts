import { expect, test } from "vitest";
import { checkAgent, formatLock, type InstallerLock, parseLock } from "./lock-file.ts";

const digest = (digit: string) => digit.repeat(64);
const lock: InstallerLock = {
  format: 1,
  kernel: "linux-image-6.1.0-56-amd64",
  firmware: [],
  packages: [{ name: "libc6", version: "2.36-9+deb12u14", architecture: "amd64", sha256: digest("a") }],
  agent: { node: digest("b"), "hps-agent.js": digest("c") },
};

test("what is written is read back", () => {
  expect(parseLock(formatLock(lock))).toEqual(lock);
});

test("a name that would be a path or an option of apt is refused", () => {
  for (const name of ["../x", "--force", "a b", ""]) {
    const changed = { ...lock, packages: lock.packages.map((one) => ({ ...one, name })) };
    expect(() => parseLock(JSON.stringify(changed)), name).toThrow("the lock file");
  }
  expect(() => parseLock("{")).toThrow("not JSON");
});

test("an agent that is not the lock's is refused, and it is said which part differs", () => {
  checkAgent(lock, lock.agent);
  expect(() => checkAgent(lock, { ...lock.agent, node: digest("d"), "pty.node": digest("e") })).toThrow(
    "this hpsctl brings another node, pty.node than the lock names",
  );
});
