/** Who may enter, with a real hpsd, a real agent and hpsctl: what an admin says by hpsctl works on open shells, and audit tells all. */
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { connect, type Hps } from "../../client/sdk/connect.ts";
import { hpsctl } from "../../client/testing/hpsctl.ts";
import { type Session, SessionState } from "../../proto/gen/hps/v1/shell_pb.ts";
import { OperatorSession } from "../e2e/operator-session.ts";
import { armHost } from "./load-agents.ts";
import { asAdmin, loggedIn } from "./other-operator.ts";
import { startAgent } from "./real-agent.ts";
import { startHpsd, until } from "./real-hpsd.ts";

let hpsd: Awaited<ReturnType<typeof startHpsd>>;

beforeAll(async () => {
  hpsd = await startHpsd();
  const host = await armHost(hpsd.admin, 1);
  await startAgent(host, hpsd.folder);
});
afterAll(async () => await hpsd?.[Symbol.asyncDispose]());

/** hpsctl as the admin; its output. */
async function ctl(...words: readonly string[]): Promise<string> {
  return await asAdmin(hpsd, ...words);
}

/** A new operator with an hpsctl of its own. */
async function operator(name: string, role: string): Promise<{ hps: Hps; environment: { HPSCONFIG: string } }> {
  const environment = await loggedIn(hpsd, name, role);
  const hps = await connect({ environment });
  onTestFinished(() => hps.close());
  return { hps, environment };
}

function terminal({ shells }: Hps): OperatorSession {
  return OperatorSession.open(shells, { host: "lab/h1", term: "xterm" });
}

async function sessionOf(id: string): Promise<Session> {
  return await hpsd.admin.shells.getSession({ session: id });
}

/** How long after hpsctl has answered the session was over, ms. */
async function overAfter(id: string, ...words: readonly string[]): Promise<number> {
  await ctl(...words);
  return await until(`session ${id} is over`, 5000, async () => (await sessionOf(id)).endTime !== undefined);
}

test("what lets somebody in is taken back by hpsctl: open and detached shells end within a second, with why", async () => {
  const [bob, carol, dave] = [
    await operator("bob", "viewer"),
    await operator("carol", "operator"),
    await operator("dave", "operator"),
  ];
  await expect(terminal(bob.hps).session).rejects.toMatchObject({ code: "denied" });
  const added = await ctl(
    "grant",
    "add",
    "--operator",
    "bob",
    "--host",
    "lab/h1",
    "--can",
    "enter",
    "--for",
    "1h",
    "-o",
    "name",
  );
  const times: Record<string, number> = {};
  const granted = terminal(bob.hps);
  const { id: first } = await granted.session;
  const exit = granted.exit();
  const watcher = OperatorSession.attach(carol.hps.shells, { session: first });
  await watcher.session;
  const told = watcher.exit();
  times["grant rm"] = await overAfter(first, "grant", "rm", added.trim());
  const why = "bob may no longer enter shells of host lab/h1: this needs role operator in cluster lab, or a grant";
  expect(await exit).toMatchObject({ reason: why });
  expect(await told).toMatchObject({ reason: why });
  const detached = terminal(carol.hps);
  const { id: second } = await detached.session;
  await detached.send({ case: "detach", value: {} });
  await detached.last();
  times["set-roles, detached"] = await overAfter(second, "operator", "set-roles", "carol", "--role", "lab=viewer");
  expect((await sessionOf(second)).endReason).toMatch(/^carol may no longer enter/);
  const cut = terminal(dave.hps);
  const { id: third } = await cut.session;
  await cut.send({ case: "detach", value: {} });
  await cut.last();
  const certificates = JSON.parse(
    await ctl("cert", "ls", "--identity", "spiffe://lab.example/operator/dave", "-o", "json"),
  );
  times["cert revoke, detached"] = await overAfter(
    third,
    "cert",
    "revoke",
    certificates[0].serial,
    "--reason",
    "stolen",
    "--yes",
  );
  expect((await sessionOf(third)).endReason).toBe("dave was thrown out: its certificate is revoked: stolen");
  expect(Math.max(...Object.values(times))).toBeLessThan(1000);
  console.info(`over after hpsctl answered, ms: ${JSON.stringify(times)}`);
});

test("hpsctl audit tells who, host, why, from where, when, command, exit, bytes, recording and approver", async () => {
  const [erin, frank] = [await operator("erin", "operator"), await operator("frank", "operator")];
  await ctl("cluster", "edit", "lab", "--shell-reason", "required", "--shell-approval", "required");
  onTestFinished(
    async () => void (await ctl("cluster", "edit", "lab", "--shell-reason", "optional", "--shell-approval", "none")),
  );
  const shell = ["installer-shell", "-n", "lab/h1"];
  const refused = await hpsctl(erin, [...shell, "--", "true"]);
  expect([refused.code, refused.err]).toEqual([7, expect.stringMatching(/without a reason\nhint: .*--reason TEXT/)]);
  const command = ["sh", "-c", "echo out; echo err >&2; exit 7"];
  const running = hpsctl(erin, ["installer-shell", "-n", "--reason", "disk errors", "lab/h1", "--", ...command]);
  let id = "";
  await until("the session waits", 5000, async () => {
    const { sessions } = await frank.hps.shells.listSessions({ openOnly: true });
    id = sessions[0]?.id ?? "";
    return id !== "";
  });
  expect((await hpsctl(erin, `session approve ${id}`)).err).toMatch(/your own: another operator approves it/);
  expect(await hpsctl(frank, `session approve ${id} --reason seen`)).toMatchObject({ code: 0 });
  const { code, out } = await running;
  expect([code, out]).toEqual([7, "out\n"]);
  const events: Event[] = JSON.parse(await ctl("audit", "--target", "lab/h1", "--since", "1m", "-o", "json"));
  const own = events.filter(({ details }) => details.session === id).toReversed();
  const [asked, approved, begun, ended] = own;
  const actor = (name: string) => `spiffe://lab.example/operator/${name}`;
  const who = {
    actor: actor("erin"),
    address: expect.stringMatching(/127\.0\.0\.1/),
    cluster: "lab",
    time: expect.any(String),
  };
  const what = { session: id, command: JSON.stringify(command) };
  expect(own).toHaveLength(4);
  expect(asked).toMatchObject({ ...who, reason: "disk errors", details: { ...what, approval: "asked for" } });
  expect(approved).toMatchObject({
    actor: actor("frank"),
    reason: "seen",
    details: { decision: "approved", operator: "erin" },
  });
  expect(begun).toMatchObject({
    ...who,
    reason: "disk errors",
    details: { ...what, approver: "frank", recorded: "yes" },
  });
  const { recordingDigest, recordingBytes } = await sessionOf(id);
  expect(ended).toMatchObject({
    ...{ ...who, action: "session.end" },
    details: {
      ...{ session: id, exit: "7", signal: "0", inputBytes: "0", outputBytes: "4", errorBytes: "4" },
      ...{ recorded: "yes", recordingBytes: String(recordingBytes), recordingDigest },
    },
  });
  const tries: Event[] = JSON.parse(await ctl("audit", "--refused", "--target", `session:${id}`, "-o", "json"));
  expect(tries).toMatchObject([{ actor: actor("erin"), reason: "erin asked to approve its own session" }]);
});

test("a restarted hpsd still knows by which certificate a terminal was begun, and ends it when that is revoked", async () => {
  const gina = await operator("gina", "operator");
  const session = terminal(gina.hps);
  const { id } = await session.session;
  await session.send({ case: "detach", value: {} });
  await session.last();
  expect(await hpsd.program().stop()).toBe(0);
  await hpsd.start();
  await until("the agent goes on with it", 20_000, async () => (await sessionOf(id)).state === SessionState.DETACHED);
  const certificates = JSON.parse(
    await ctl("cert", "ls", "--identity", "spiffe://lab.example/operator/gina", "-o", "json"),
  );
  expect(await overAfter(id, "cert", "revoke", certificates[0].serial, "--reason", "stolen", "--yes")).toBeLessThan(
    1000,
  );
  expect((await sessionOf(id)).endReason).toBe("gina was thrown out: its certificate is revoked: stolen");
});

interface Event {
  readonly actor: string;
  readonly reason: string;
  readonly details: Readonly<Record<string, string>>;
}
