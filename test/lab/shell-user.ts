import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { processesOf } from "../../installer-agent/shell/process-session.ts";
import { type Session, SessionState } from "../../proto/gen/hps/v1/shell_pb.ts";
import { armedHost } from "./gate-steps.ts";
import type { HpsdRack } from "./hpsd-rack.ts";
import type { Machine } from "./machine.ts";
import type { Program } from "./program.ts";
import { inNamespace, must } from "./run.ts";
import { TypedTerminal } from "./typed-terminal.ts";

const HPSCTL = new URL("../../client/main.ts", import.meta.url).pathname;
const FACTS = { macs: ["52:54:00:00:01:01"], serial: "S1", uuid: "6f9619ff-8b86-4d01-b42d-00cf4fc964ff" };
const HOST = "web01";

/** A host of a rack whose agent is attached, and which can be started again. */
export interface ShellHost {
  readonly agent: () => Program;
  /** Starts its agent again, on a machine that was not restarted. */
  readonly startAgain: () => Promise<void>;
}

/** A machine of the rack as host `web01`, with its agent attached. */
export async function attachedHost(lab: HpsdRack, machine: Machine, state: string): Promise<ShellHost> {
  await armedHost(lab, { name: HOST, mac: machine.client.mac, address: "10.77.0.11" });
  const held = await machine.boot();
  const facts = { ...FACTS, macs: [machine.client.mac] };
  let agent = await machine.startAgent({ held, facts, state });
  await agent.waitFor(/attached/);
  const startAgain = async () => {
    agent = await machine.startAgent({ held, facts, state });
    await agent.waitFor(/attached/);
  };
  return { agent: () => agent, startAgain };
}

/** Somebody at a terminal who has a shell on that host by the real hpsctl. */
export interface ShellUser extends AsyncDisposable {
  readonly terminal: TypedTerminal;
  /** Of the shell, on the host. */
  readonly shell: number;
  readonly session: string;
}

export interface Seat {
  /** Where the person sits; default beside hpsd. */
  readonly ns?: string;
  /** Whose hpsctl; default the rack's operator's. */
  readonly environment?: Readonly<Record<string, string>>;
}

export async function shellUser(lab: HpsdRack, { ns, environment }: Seat = {}): Promise<ShellUser> {
  const argv = inNamespace(ns ?? lab.rack.server.ns, [process.execPath, HPSCTL, "installer-shell", HOST]);
  const terminal = new TypedTerminal(argv, environment ?? lab.environment);
  try {
    await terminal.type("echo pid=$$.\n");
    const [, pid] = await terminal.shows(/pid=(\d+)\./);
    const [open] = (await lab.hps.shells.listSessions({ openOnly: true, pageSize: 1 })).sessions;
    const session = open?.id ?? expect.unreachable();
    return { terminal, shell: Number(pid), session, [Symbol.asyncDispose]: () => terminal[Symbol.asyncDispose]() };
  } catch (error) {
    await terminal[Symbol.asyncDispose]();
    throw error;
  }
}

/** Another operator, logged in: what makes hpsctl theirs. */
export async function otherOperator(lab: HpsdRack, name: string): Promise<Readonly<Record<string, string>>> {
  const invited = await lab.hpsctl("operator", "invite", name, "--role", "lab=operator");
  const token = /--token (\S+)/.exec(invited.stdout)?.[1] ?? "";
  const env = { ...lab.environment, HPSCONFIG: join(lab.folder, `${name}.yaml`) };
  const words = ["--cluster", "lab", "login", "https://10.77.0.1:7444", "--token", token, "--name", "lab"];
  await must([process.execPath, HPSCTL, ...words], { ns: lab.rack.server.ns, env });
  return env;
}

export async function sessionOf(lab: HpsdRack, session: string): Promise<Session> {
  return await lab.hps.shells.getSession({ session });
}

/** Waits until the session is over and nothing of it is left: no process, no open recording, no place taken. */
export async function nothingLeft(lab: HpsdRack, { shell, session }: ShellUser): Promise<Session> {
  const ended = await nothingLeftAtHpsd(lab, session);
  await expect.poll(() => processesOf(shell), { timeout: 30_000 }).toEqual([]);
  return ended;
}

/** The same of a session on a machine whose processes are not here. */
export async function nothingLeftAtHpsd(lab: HpsdRack, session: string): Promise<Session> {
  await expect.poll(async () => (await sessionOf(lab, session)).state, { timeout: 30_000 }).toBe(SessionState.ENDED);
  expect(recordingsOpenIn(lab.hpsd().pid)).toEqual([]);
  expect((await lab.hps.shells.listSessions({ openOnly: true })).sessions).toEqual([]);
  return await sessionOf(lab, session);
}

/** Its recording is closed, and what was written. */
export async function recordingHolds(lab: HpsdRack, session: string): Promise<void> {
  const { code, stdout, stderr } = await lab.hpsctl("session", "verify", session);
  expect(stdout, stderr).toMatch(/^RECORDING: +as it was$/m);
  expect(code).toBe(0);
}

/** Files of the folder `sessions` that hpsd holds open. */
function recordingsOpenIn(hpsd: number): string[] {
  return readdirSync(`/proc/${hpsd}/fd`).flatMap((fd) => {
    try {
      const file = readlinkSync(`/proc/${hpsd}/fd/${fd}`);
      return file.includes("/sessions/") ? [file] : [];
    } catch {
      return []; // closed since
    }
  });
}
