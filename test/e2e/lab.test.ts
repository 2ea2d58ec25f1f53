import { expect, test } from "vitest";
import { labNamespaces, reapLeftovers } from "../lab/janitor.ts";
import { startProgram } from "../lab/program.ts";
import { createRack } from "../lab/rack.ts";
import { must } from "../lab/run.ts";

const FIRST = "52:54:00:00:00:01";
const SECOND = "52:54:00:00:00:02";

async function namespacesOf(owner: number): Promise<readonly string[]> {
  return (await labNamespaces()).filter((found) => found.owner === owner).map((found) => found.ns);
}

test("clients have the MACs they were given, reach the server and each other, and nothing else", async () => {
  await using rack = await createRack({ clients: [FIRST, SECOND] });
  const [one, two] = [rack.client(0), rack.client(1)];
  await must(["ip", "addr", "add", "10.77.0.11/24", "dev", one.nic], { ns: one.ns });
  await must(["ip", "addr", "add", "10.77.0.12/24", "dev", two.nic], { ns: two.ns });
  expect((await one.run(["busybox", "ping", "-c1", "-W5", rack.server.address])).code).toBe(0);
  expect((await one.run(["busybox", "ping", "-c1", "-W5", "10.77.0.12"])).code).toBe(0);
  expect((await rack.run(["ip", "neigh", "show", "10.77.0.11"])).stdout).toContain(FIRST);
  expect((await one.run(["busybox", "ping", "-c1", "-W2", "192.0.2.1"])).code).not.toBe(0);
});

test("a lease of a real DHCP server is read as it was given; without a server there is none", async () => {
  await using rack = await createRack({ clients: [FIRST] });
  const none = await rack.client(0).dhcp({ tries: 1 });
  expect(none).toMatchObject({ bound: false });
  const range = "--dhcp-range=10.77.0.50,10.77.0.60,255.255.255.0,2m";
  const fixed = ["-k", "--conf-file=/dev/null", "--port=0", "--interface=br0", "--bind-interfaces", "--no-ping"];
  const files = ["--leasefile-ro", "--log-facility=-", "--user=root", "--pid-file="];
  await rack.start({
    argv: ["dnsmasq", ...fixed, ...files, range, "--dhcp-boot=kernel"],
    readyLine: /bound exclusively/,
  });
  const got = await rack.client(0).dhcp({ requestAddress: "10.77.0.55", hostname: "box" });
  expect(got).toMatchObject({ bound: true, lease: { address: "10.77.0.55", seconds: 120, bootFile: "kernel" } });
  const set = await rack.client(0).run(["ip", "-4", "addr", "show", "eth0"]);
  expect(set.stdout).toContain("10.77.0.55/24");
});

test("dispose removes the namespaces and what runs in them, twice is once", async () => {
  const rack = await createRack({ clients: [FIRST] });
  const inside = await rack.start({ argv: ["sleep", "1000"] });
  const forgotten = await startProgram({ ns: rack.client(0).ns, argv: ["sleep", "1000"] });
  expect(await namespacesOf(process.pid)).toHaveLength(2);
  await rack.dispose();
  await rack.dispose();
  expect(await namespacesOf(process.pid)).toEqual([]);
  expect(await inside.ended).toBe(128);
  expect(await forgotten.ended).toBe(128);
});

test("a process killed with -9 leaves no namespace", async () => {
  const code = `import { createRack } from ${JSON.stringify(new URL("../lab/rack.ts", import.meta.url).href)};
    await createRack({ clients: ["${FIRST}"] }); console.log("built"); setInterval(() => {}, 1000);`;
  const victim = await startProgram({
    argv: [process.execPath, "--input-type=module", "-e", code],
    readyLine: /built/,
  });
  expect(await namespacesOf(victim.pid)).toHaveLength(2);
  await victim.stop("SIGKILL");
  await expect.poll(() => namespacesOf(victim.pid), { timeout: 20_000 }).toEqual([]);
});

test("the reaper removes what a dead process left, and nothing of a living one", async () => {
  await using rack = await createRack();
  const gone = await startProgram({ argv: ["true"] });
  await gone.ended;
  await must(["ip", "netns", "add", `hps${gone.pid}-9`]);
  await reapLeftovers();
  expect(await namespacesOf(gone.pid)).toEqual([]);
  expect(await namespacesOf(process.pid)).toEqual([rack.server.ns]);
});

test("a program that ends before it is ready says so with its output; stop kills one that does not listen", async () => {
  const early = startProgram({ argv: ["sh", "-c", "echo oh no; exit 3"], readyLine: /ready/ });
  await expect(early).rejects.toThrow(/ended without printing.*oh no/s);
  const deaf = await startProgram({
    argv: ["sh", "-c", "trap '' TERM; echo up; sleep 1000 & wait; wait"],
    readyLine: /up/,
  });
  expect(await deaf.stop("SIGTERM", 300)).toBe(128);
});
