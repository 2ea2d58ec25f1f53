import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { NetworkMode } from "../../proto/gen/hps/v1/agent_pb.ts";
import { type ArmHostRequest, type Host, HostState } from "../../proto/gen/hps/v1/host_pb.ts";
import {
  InstallationSchema,
  InstallationState,
  Outcome,
  StepState,
  type WatchInstallationResponseSchema,
} from "../../proto/gen/hps/v1/installation_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { run } from "../run.ts";
import { fakeTerminal } from "../testing/fake-terminal.ts";
import { hpsctl, useServers } from "../testing/hpsctl.ts";
import { hostReaders, testHost } from "../testing/test-server.ts";

const start = useServers();
const TIME = timestampFromMs(Date.parse("2026-11-20T09:30:00Z"));
const END = timestampFromMs(Date.parse("2026-11-20T09:32:05Z"));

/** The installation of host `web<number>`. */
function installation(number: number, fields: MessageInitShape<typeof InstallationSchema> = {}) {
  const digits = String(number).padStart(4, "0");
  return create(InstallationSchema, {
    id: `01900000-0000-7000-8000-1000000${digits.padStart(5, "0")}`,
    cluster: "lab",
    host: `web${digits}`,
    state: InstallationState.ARMED,
    outcome: Outcome.OPEN,
    windowEndTime: END,
    ...fields,
  });
}

type WatchEvent = MessageInitShape<typeof WatchInstallationResponseSchema>;

interface Rig {
  readonly hosts?: readonly Host[];
  readonly events?: (number: number) => AsyncIterable<WatchEvent>;
  readonly refuse?: (host: string) => HpsError | undefined;
}

/** hpsd with hosts web0001 and web0002 that arms whatever it is asked to. */
async function rig({ hosts = [testHost(1), testHost(2)], events, refuse }: Rig = {}) {
  const armed: ArmHostRequest[] = [];
  const updated: Host[] = [];
  const numberOf = (id: string) => hosts.findIndex((host) => host.id === id) + 1;
  const server = await start({
    hosts: {
      ...hostReaders(hosts),
      armHost: async (request) => {
        armed.push(request);
        const failure = refuse?.(request.host);
        if (failure !== undefined) throw failure;
        return installation(numberOf(request.host), { image: request.image });
      },
      updateHost: async ({ host }) => {
        if (host !== undefined) updated.push(host);
        return testHost(1);
      },
    },
    installations: {
      listInstallations: async ({ host }) => {
        const number = Number(host.slice(-4));
        return { installations: number <= hosts.length ? [installation(number)] : [], nextPageToken: "" };
      },
      watchInstallation: ({ installation: id }) => events?.(Number(id.slice(-4))) ?? give([]),
      watchInstallationLog: () =>
        give([{ lines: [{ sequence: 1n, source: "image", text: Buffer.from("tar: damaged") }] }]),
    },
  });
  return { server, armed, updated };
}

async function* give<Item>(items: readonly Item[]): AsyncGenerator<Item, void> {
  yield* items;
}

function event(
  sequence: number,
  step: string,
  fields: MessageInitShape<typeof InstallationSchema>,
  number = 1,
): WatchEvent {
  const value = { event: { case: "stepSucceeded" as const, value: { step } } };
  return {
    entry: { sequence: BigInt(sequence), time: TIME, entry: { case: "event", value } },
    installation: installation(number, fields),
  };
}

const DONE = {
  state: InstallationState.ENDED,
  outcome: Outcome.SUCCEEDED,
  endTime: END,
  steps: [{ name: "clock", state: StepState.SUCCEEDED, startTime: TIME }],
};

test("install asks for what was said, and says what the host waits for", async () => {
  const { server, armed, updated } = await rig();
  const words =
    "install web0001 --image debian/base:12 --wipe-disk S1 --disk size>=10GB,smallest --root-size 16GiB --network static";
  const { code, out, err } = await hpsctl(server, words);
  expect(code).toBe(0);
  expect(armed).toMatchObject([
    {
      host: testHost(1).id,
      image: "debian/base:12",
      wipeDiskSerials: ["S1"],
      storage: { disk: "size>=10GB,smallest", rootSizeBytes: 17179869184n, wipe: false },
      reboot: false,
      rescue: false,
    },
  ]);
  expect(updated).toMatchObject([{ id: testHost(1).id, network: NetworkMode.STATIC, etag: '"1"' }]);
  expect(out).toContain("debian/base:12");
  expect(out).toContain("  power it on, to boot from the network before 2026-11-20T09:32:05Z\n");
  expect(err).toBe("");
});

test.each([
  ["install web0001 --image Debian", 2, "not an image's name"],
  ["install web0001 --image a:1 --disk biggest", 2, "not a disk rule"],
  ["install web0001 --image a:1 --root-size many", 2, "not a size"],
  ["install web0001", 2, "--image"],
  ["install web0009 --image a:1", 3, "no host lab/web0009"],
  ["install web0001 --image a:1 --wipe", 2, "not confirmed"],
])("%s is refused before anything is armed", async (words, exit, message) => {
  const { server, armed } = await rig();
  const { code, err } = await hpsctl(server, words);
  expect({ code, armed }).toEqual({ code: exit, armed: [] });
  expect(err).toContain(message);
});

test("a wipe is asked about once, with the disks each host is known to have", async () => {
  const disks = [{ name: "vda", serial: "S1\x1b[2J", model: "QEMU", sizeBytes: 21474836480n }];
  const hosts = [testHost(1, { facts: { disks } }), testHost(2)];
  const { server, armed } = await rig({ hosts });
  const no = await hpsctl(server, "install web[0001-0002] --image a:1 --wipe", { tty: true, input: "n\n" });
  expect({ code: no.code, armed }).toEqual({ code: 130, armed: [] });
  expect(no.err).toContain("lab/web0001: vda 20 GiB (QEMU, serial S1\\x1b[2J)\n");
  expect(no.err).toContain("lab/web0002: its disks are not known yet\n");
  const yes = await hpsctl(server, "install web[0001-0002] --image a:1 --wipe", { tty: true, input: "y\n" });
  expect(yes.code).toBe(0);
  expect(armed.map(({ storage }) => storage?.wipe)).toEqual([true, true]);
});

test("a host whose system runs is restarted when told so, asked about on a terminal, else to be power-cycled", async () => {
  const hosts = [testHost(1, { state: HostState.INSTALLED, attached: true }), testHost(2)];
  const { server, armed } = await rig({ hosts });
  const reboots = async (words: string, options = {}) => {
    armed.length = 0;
    const { err } = await hpsctl(server, words, options);
    return { reboots: armed.map(({ reboot }) => reboot), err };
  };
  const told = await reboots("install web0001 web0002 --image a:1 --reboot");
  expect(told.reboots).toEqual([true, false]);
  expect(told.err).toContain("lab/web0001: it restarts into the network now\n");
  expect((await reboots("install web0001 --image a:1", { tty: true, input: "y\n" })).reboots).toEqual([true]);
  expect((await reboots("install web0001 --image a:1 --no-reboot", { tty: true })).reboots).toEqual([false]);
  const off = await reboots("install web0001 --image a:1");
  expect(off.reboots).toEqual([false]);
  expect(off.err).toContain(
    "lab/web0001: its installed system still runs: power-cycle it now, to boot from the network",
  );
});

test("--watch follows several hosts at once; lines name them, the worst end is the exit code", async () => {
  const { server } = await rig({
    events: (number) =>
      number === 1
        ? give([event(1, "clock", DONE)])
        : give([event(1, "image", { state: InstallationState.FAILED, reason: "the image is damaged" }, 2)]),
  });
  const { code, out, err } = await hpsctl(server, "install web[0001-0002] --image a:1 --watch");
  expect(code).toBe(7);
  expect(out.trimEnd().split("\n").sort()).toEqual([
    "lab/web0001: 2026-11-20T09:30:00Z clock: done",
    "lab/web0002: 2026-11-20T09:30:00Z image: done",
  ]);
  expect(err).toContain("of lab/web0001 succeeded in 2 min 5 s\n");
  expect(err).toContain(
    "of lab/web0002 waits for an operator, failed: the image is damaged\n  | image: tar: damaged\n",
  );
  expect(err).toContain("lab/web0002: look: hpsctl installation log lab/web0002\n");
});

test("a host that cannot be armed stops no other, and its code counts", async () => {
  const { server, armed } = await rig({
    refuse: (host) => (host === testHost(1).id ? new HpsError("precondition", "image a:1 has no kernel") : undefined),
    events: (number) => give([event(1, "clock", DONE, number)]),
  });
  const { code, err } = await hpsctl(server, "install web[0001-0002] --image a:1 --watch");
  expect({ code, asked: armed.length }).toEqual({ code: 7, asked: 2 });
  expect(err).toContain("error: lab/web0001: image a:1 has no kernel\n");
  expect(err).toContain("of lab/web0002 succeeded");
});

test("-o json gives one object an event, with its host", async () => {
  const { server } = await rig({ events: (number) => give([event(1, "clock", DONE, number)]) });
  const { code, out } = await hpsctl(server, "install web0001 --image a:1 --watch -o json");
  expect(code).toBe(0);
  const [line, ...more] = out.trimEnd().split("\n");
  expect(more).toEqual([]);
  expect(JSON.parse(line ?? "")).toMatchObject({
    host: "lab/web0001",
    entry: { sequence: "1" },
    installation: { outcome: "OUTCOME_SUCCEEDED" },
  });
});

test("several hosts on a terminal: a line each, and what an operator has to do", async () => {
  const fingerprint = "1a2b3-c4d5e-6f708-192a3";
  const image = { name: "image", state: StepState.RUNNING, done: 536870912n, total: 1073741824n, unit: "bytes" };
  const { server } = await rig({
    events: (number) =>
      number === 1
        ? give([event(1, "clock", { state: InstallationState.INSTALLING, attached: true, steps: [image] })])
        : give([event(1, "x", { state: InstallationState.AWAITING_APPROVAL, pendingEnrolment: { fingerprint } }, 2)]),
  });
  const environment = { ...server.environment, NO_COLOR: "1" };
  const { out } = await hpsctl(server, "install web[0001-0002] --image a:1 --watch", { tty: true, environment });
  expect(out).toContain("0 of 2 ended");
  expect(out).toMatch(/lab\/web0001 {2}installing +0\/1 {2}image {2}\[#######-------\] 50 %/);
  expect(out).toMatch(/lab\/web0002 {2}awaiting-ap/);
  expect(out).toContain(`  hpsctl host approve lab/web0002 --fingerprint ${fingerprint}\n`);
});

test("Ctrl-C leaves the installation running, and says how to come back", async () => {
  const { server } = await rig({
    events: async function* () {
      yield event(1, "clock", { state: InstallationState.INSTALLING });
      await new Promise(() => undefined);
    },
  });
  const terminal = fakeTerminal({ environment: server.environment });
  const running = run(["install", "web[0001-0002]", "--image", "a:1", "--watch"], terminal);
  await expect.poll(terminal.printed).toContain("clock: done");
  terminal.interrupt();
  expect(await running).toBe(130);
  expect(terminal.errors()).toContain("Come back: hpsctl installation watch 'web[0001-0002]'\n");
  expect(terminal.errors()).toContain("end one: hpsctl installation cancel HOST\n");
});

test("rescue arms without an image, and waits for the shell", async () => {
  const ready = { state: InstallationState.INSTALLING, rescue: true, attached: true };
  const steps = [{ name: "configuration", state: StepState.SUCCEEDED }];
  const { server, armed } = await rig({ events: () => give([event(1, "configuration", { ...ready, steps })]) });
  const { code, err } = await hpsctl(server, "host rescue lab/web0001 --watch --window 2h");
  expect(code).toBe(0);
  expect(armed).toMatchObject([{ host: "lab/web0001", rescue: true, image: "", window: { seconds: 7200n } }]);
  expect(err).toContain("the shell is there: hpsctl installer-shell lab/web0001\n");
  expect(err).toContain("power it on");
  const told = await hpsctl(server, "host rescue lab/web0001 --watch --reboot");
  expect(told.err).toContain("lab/web0001: it restarts into the network now\n");
  expect(told.err).not.toContain("power on the machine");
});

test("watch takes hosts and ids, several at once", async () => {
  const { server } = await rig({ events: (number) => give([event(1, "clock", DONE, number)]) });
  const words = `installation watch web[0001-0002] ${installation(1).id}`;
  const { code, out } = await hpsctl(server, words);
  expect(code).toBe(0);
  expect(out.trimEnd().split("\n").sort()).toEqual([
    `${installation(1).id}: 2026-11-20T09:30:00Z clock: done`,
    "lab/web0001: 2026-11-20T09:30:00Z clock: done",
    "lab/web0002: 2026-11-20T09:30:00Z clock: done",
  ]);
  expect((await hpsctl(server, "installation watch web0009")).code).toBe(3);
});
