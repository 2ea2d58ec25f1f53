import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
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
import { exitCodeOf } from "./installation-watch.ts";

const start = useServers();
const ID = "01900000-0000-7000-8000-000000000007";
const TIME = timestampFromMs(Date.parse("2026-11-20T09:30:00Z"));

function installation(fields: MessageInitShape<typeof InstallationSchema> = {}) {
  const base = { id: ID, cluster: "lab", host: "web01", state: InstallationState.INSTALLING, outcome: Outcome.OPEN };
  return create(InstallationSchema, { ...base, createTime: TIME, ...fields });
}

type WatchEvent = MessageInitShape<typeof WatchInstallationResponseSchema>;

const PROGRESS: readonly WatchEvent[] = [
  {
    entry: {
      sequence: 1n,
      time: TIME,
      entry: { case: "change", value: { from: 0, to: 1, event: "arm", actor: "alice", reason: "" } },
    },
  },
  {
    entry: {
      sequence: 2n,
      time: TIME,
      entry: { case: "event", value: { event: { case: "stepStarted", value: { step: "image\x1b[2J" } } } },
    },
  },
  {
    entry: {
      sequence: 3n,
      time: TIME,
      entry: {
        case: "event",
        value: {
          event: {
            case: "stepProgress",
            value: { step: "image", done: 536870912n, total: 1073741824n, unit: "bytes" },
          },
        },
      },
    },
    installation: installation({
      steps: [
        { name: "clock", state: StepState.SUCCEEDED },
        {
          name: "image\x1b[2J",
          state: StepState.RUNNING,
          done: 536870912n,
          total: 1073741824n,
          unit: "bytes",
        },
      ],
    }),
  },
];

const END: WatchEvent = {
  entry: {
    sequence: 4n,
    time: TIME,
    entry: { case: "change", value: { from: 7, to: 8, event: "report", actor: "host", reason: "" } },
  },
  installation: installation({ state: InstallationState.ENDED, outcome: Outcome.SUCCEEDED }),
};

async function* give(events: readonly WatchEvent[]) {
  yield* events;
}

test("watch without a terminal: one line an entry, the outcome as exit code", async () => {
  const server = await start({ installations: { watchInstallation: () => give([...PROGRESS, END]) } });
  const { code, out, err } = await hpsctl(server, `installation watch ${ID}`);
  expect(out).toBe(
    [
      "2026-11-20T09:30:00Z new -> armed (arm by alice)",
      "2026-11-20T09:30:00Z image\\x1b[2J: started",
      "2026-11-20T09:30:00Z image: 512 MiB of 1 GiB",
      "2026-11-20T09:30:00Z rebooting -> ended (report by host)",
      "",
    ].join("\n"),
  );
  expect(err).toBe(`installation ${ID} of lab/web01 succeeded\n`);
  expect(code).toBe(0);
});

test("watch on a terminal: the steps drawn in their place, hostile names safe", async () => {
  const server = await start({ installations: { watchInstallation: () => give([...PROGRESS, END]) } });
  const environment = { ...server.environment, NO_COLOR: "1" };
  const { out } = await hpsctl(server, `inst watch ${ID}`, { tty: true, environment });
  expect(out).toContain("lab/web01  succeeded");
  const drawing = await start({ installations: { watchInstallation: () => give(PROGRESS) } });
  const { out: steps } = await hpsctl(drawing, `inst watch ${ID}`, { tty: true });
  expect(steps).toContain("[######-----] 50 %  512 MiB of 1 GiB");
  expect(steps).toContain("image\\x1b[2J");
  expect(steps).not.toContain("\x1b[2J");
});

test("watch goes on where it was when the server was lost", async () => {
  const asked: bigint[] = [];
  const server = await start({
    installations: {
      watchInstallation: async function* ({ afterSequence }) {
        asked.push(afterSequence);
        if (afterSequence === 0n) {
          yield* PROGRESS;
          throw new HpsError("unavailable", "server is stopping");
        }
        yield END;
      },
    },
  });
  const { code, out } = await hpsctl(server, `inst watch ${ID}`);
  expect(asked).toEqual([0n, 3n]);
  expect(code).toBe(0);
  expect(out.trimEnd().split("\n")).toHaveLength(4);
});

test("arm --wait stops where an operator is needed, with its own exit code", async () => {
  const failed = installation({ state: InstallationState.FAILED, reason: "no disk\x1b[2J" });
  const server = await start({
    hosts: { armHost: async () => installation({ state: InstallationState.ARMED }) },
    installations: {
      watchInstallation: async function* () {
        yield { ...PROGRESS[0], installation: failed };
        await new Promise(() => undefined);
      },
      watchInstallationLog: async function* () {
        yield { lines: [{ sequence: 1n, source: "storage", text: Buffer.from("\x1b[31mlast words\n") }] };
      },
    },
  });
  const { code, err } = await hpsctl(server, "host arm web01 --wait");
  expect(code).toBe(7);
  expect(err.split("\n").slice(-3)).toEqual([
    `installation ${ID} of lab/web01 waits for an operator, failed: no disk\\x1b[2J`,
    "  | storage: \\x1b[31mlast words",
    "",
  ]);
  expect(err).toContain("then: hpsctl installation retry lab/web01\n  or: hpsctl installation cancel lab/web01\n");
});

test("an interrupt ends a watch with 130", async () => {
  const server = await start({
    installations: {
      watchInstallation: async function* () {
        yield* PROGRESS;
        await new Promise(() => undefined);
      },
    },
  });
  const terminal = fakeTerminal({ environment: server.environment });
  const running = run(["inst", "watch", ID], terminal);
  await expect.poll(() => terminal.printed()).toContain("512 MiB");
  terminal.interrupt();
  expect(await running).toBe(130);
});

test("every outcome has its exit code", () => {
  const code = (outcome: Outcome, state: InstallationState = InstallationState.ENDED) => exitCodeOf({ outcome, state });
  expect(code(Outcome.SUCCEEDED)).toBe(0);
  expect(code(Outcome.EXPIRED)).toBe(9);
  expect(code(Outcome.CANCELLED)).toBe(10);
  expect(code(Outcome.OPEN, InstallationState.FROZEN)).toBe(7);
  expect(code(Outcome.OPEN, InstallationState.INTERRUPTED)).toBe(7);
  expect(code(Outcome.OPEN, InstallationState.INSTALLING)).toBe(8);
});

test("a host stands for its newest installation; get shows steps and the fingerprint to compare", async () => {
  const asked: string[] = [];
  const pending = { fingerprint: "1a2b3-c4d5e-6f708-192a3", address: "192.0.2.9", requestTime: TIME };
  const one = installation({ pendingEnrolment: pending, steps: [{ name: "clock", state: StepState.PENDING }] });
  const server = await start({
    installations: {
      listInstallations: async ({ host }) => {
        asked.push(host);
        return { installations: host === "lab/web01" ? [one] : [] };
      },
      getInstallation: async () => one,
    },
  });
  const { out } = await hpsctl(server, "installation get web01");
  expect(out).toMatch(/^ID: +01900000/);
  expect(out).toContain(
    "an agent at 192.0.2.9 waits for approval since 2026-11-20T09:30:00Z\n  fingerprint 1a2b3-c4d5e-6f708-192a3",
  );
  expect(out).toContain("--fingerprint 1a2b3-c4d5e-6f708-192a3\n");
  expect(out).toMatch(/STEP +STATE +ATTEMPT/);
  const none = await hpsctl(server, "installation get prod/db1");
  expect({ code: none.code, asked }).toEqual({ code: 3, asked: ["lab/web01", "prod/db1"] });
});

test("log lines are safe to show, and exact as JSON", async () => {
  const text = Buffer.from([0x1b, 0x5b, 0x32, 0x4a, 0xff, 0x0a]);
  const server = await start({
    installations: {
      watchInstallationLog: async function* () {
        yield { lines: [{ sequence: 1n, time: TIME, text: new Uint8Array(text), source: "storage" }] };
      },
    },
  });
  const { out } = await hpsctl(server, `inst log ${ID}`);
  expect(out).toBe("2026-11-20T09:30:00Z storage: \\x1b[2J\\xff\n");
  const json = await hpsctl(server, `inst log ${ID} -o json`);
  expect(Buffer.from(JSON.parse(json.out).text, "base64").equals(text)).toBe(true);
});

test("approve, retry, cancel and unfreeze reach their methods", async () => {
  const done: string[] = [];
  const did = (what: string) => async (request: { installation: string }) => {
    done.push(`${what} ${JSON.stringify({ ...request, $typeName: undefined })}`);
    return installation();
  };
  const { testHost } = await import("../testing/test-server.ts");
  const server = await start({
    hosts: { getHost: async () => testHost(1, { installation: ID }) },
    installations: {
      approveEnrolment: did("approve"),
      retryInstallation: did("retry"),
      cancelInstallation: did("cancel"),
      unfreezeInstallation: did("unfreeze"),
    },
  });
  expect((await hpsctl(server, "host approve web01 --fingerprint 1a2b3-c4d5e-6f708-192a3")).code).toBe(0);
  expect((await hpsctl(server, `inst retry ${ID} --wipe-disk S1`)).code).toBe(0);
  expect((await hpsctl(server, `inst cancel ${ID}`)).code).toBe(2);
  expect((await hpsctl(server, `inst cancel ${ID} --yes --reason wrong`)).code).toBe(0);
  expect((await hpsctl(server, `inst unfreeze ${ID}`)).code).toBe(0);
  expect(done).toEqual([
    `approve {"installation":"${ID}","fingerprint":"1a2b3-c4d5e-6f708-192a3"}`,
    `retry {"installation":"${ID}","wipe":false,"wipeDiskSerials":["S1"]}`,
    `cancel {"installation":"${ID}","reason":"wrong"}`,
    `unfreeze {"installation":"${ID}"}`,
  ]);
});
