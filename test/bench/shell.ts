/** The shell beside `ssh -J`: both through one relay, with a terminal or pipes at their ends, by turns. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { TypedTerminal } from "../lab/typed-terminal.ts";
import { makeBundles, temporaryFolder } from "./bench-hpsd.ts";
import { type HpsPath, startHpsPath } from "./hps-path.ts";
import { median, quantile } from "./quantiles.ts";
import { type Measured, type Row, row } from "./row.ts";
import { timeInput, timeOutput, timeScreen } from "./shell-bulk.ts";
import { timeKeys } from "./shell-keys.ts";
import { manyOfHps, manyOfSsh, PER_HOST } from "./shell-sessions.ts";
import { type SshPath, startSshPath } from "./ssh-path.ts";

const MEBI = 2 ** 20;
const BULK_MIB = 512;
const SCREEN_MIB = 32;
const ROUNDS = 3;
const SESSIONS = 4 * PER_HOST;
const PEER = "ssh -J";
/** What the budgets allow, of ssh's. */
const KEY_RATIO = 1.5;
const BULK_RATIO = 2;

interface Paths {
  readonly hps: HpsPath;
  readonly ssh: SshPath;
}

type Part = (paths: Paths, folder: string) => Promise<readonly Row[]>;

// Sessions first: the others grow hpsd's heap, and leave terminals that wait for their operators.
const PARTS: Readonly<Record<string, Part>> = { sessions, keys, bulk, screen };

/** `argv`: names of parts, instead of all. */
export async function shell(argv: readonly string[]): Promise<Measured> {
  const wanted = argv.length === 0 ? Object.keys(PARTS) : argv;
  makeBundles();
  using folder = temporaryFolder();
  const ssh = await startSshPath(join(folder.path, "ssh"));
  try {
    const hps = await startHpsPath(folder.path, SESSIONS / PER_HOST);
    try {
      const rows: Row[] = [];
      for (const name of wanted) rows.push(...((await PARTS[name]?.({ hps, ssh }, folder.path)) ?? []));
      return { rows, notes: NOTES };
    } finally {
      await hps.stop();
    }
  } finally {
    await ssh.stop();
  }
}

const NOTES = [
  "hpsctl, hpsd and the agent as they ship; ssh, sshd as jump host and sshd as target of Debian's openssh-server, settings as they come. All on the loopback network of one machine, so a second relay costs no distance: what is compared is the work. The session of ours is recorded as always.",
  "Keys: typed one by one at a pty, each after the echo of the one before and a pause of 2 to 8 ms; the echo is the far terminal's own. Bulk: through pipes, from the first byte on; the screen: a file of text at a pty.",
  `Sessions: ${SESSIONS} terminals with a shell each, opened four at a time; the memory is the relay's alone (Pss of hpsd; of the jump host's sshd, two processes a session). hpsd takes 1000 sessions, and 16 of a host.`,
];

async function keys({ hps, ssh }: Paths): Promise<readonly Row[]> {
  await using ours = new TypedTerminal(hps.terminal(), hps.environment);
  await using theirs = new TypedTerminal(ssh.terminal());
  const [times = [], timesOfTheirs = []] = await timeKeys([ours, theirs]);
  const at = (q: number) => [quantile(times, q), quantile(timesOfTheirs, q)] as const;
  const [p50, p50Theirs] = at(0.5);
  const [p99, p99Theirs] = at(0.99);
  return [
    row("key to echo, p50", p50, "ms", beside(p50Theirs, KEY_RATIO)),
    row("key to echo, p99", p99, "ms", beside(p99Theirs)),
  ];
}

async function bulk({ hps, ssh }: Paths): Promise<readonly Row[]> {
  const bytes = BULK_MIB * MEBI;
  const give = ["sh", "-c", `'echo go; exec head -c ${bytes} /dev/zero'`];
  const take = ["sh", "-c", "'echo go; exec wc -c'"];
  const plain = (words: readonly string[]) => words.map((word) => word.replaceAll("'", ""));
  const out = await byTurns(
    () => timeOutput(hps.command(...plain(give)), hps.environment, bytes),
    () => timeOutput(ssh.command(...give), {}, bytes),
  );
  const into = await byTurns(
    () => timeInput(hps.command(...plain(take)), hps.environment, bytes),
    () => timeInput(ssh.command(...take), {}, bytes),
  );
  return [...rateRows("output of a command", BULK_MIB, out), ...rateRows("input of a command", BULK_MIB, into)];
}

async function screen({ hps, ssh }: Paths, folder: string): Promise<readonly Row[]> {
  const file = join(folder, "text");
  execFileSync("sh", ["-c", `head -c ${(SCREEN_MIB * MEBI * 3) / 4} /dev/urandom | base64 -w 79 > ${file}`]);
  await using ours = new TypedTerminal(hps.terminal(), hps.environment);
  await using theirs = new TypedTerminal(ssh.terminal());
  const times = await byTurns(
    () => timeScreen(ours, file),
    () => timeScreen(theirs, file),
  );
  return rateRows("text on a terminal", SCREEN_MIB, times);
}

async function sessions({ hps, ssh }: Paths): Promise<readonly Row[]> {
  const ours = await manyOfHps(hps, SESSIONS);
  const theirs = await manyOfSsh(ssh, SESSIONS);
  const kilobytes = (bytes: number) => bytes / 1000;
  return [
    row("sessions opened", ours.perSecond, "/s", beside(theirs.perSecond)),
    row(
      "memory of the relay",
      kilobytes(ours.bytesPerSession),
      "kB/session",
      beside(kilobytes(theirs.bytesPerSession)),
    ),
    row(
      "sessions in 1 GiB of the relay",
      2 ** 30 / ours.bytesPerSession,
      "sessions",
      beside(2 ** 30 / theirs.bytesPerSession),
    ),
  ];
}

function beside(value: number, ratio?: number) {
  const budget = ratio === undefined ? {} : { budget: Number((ratio * value).toPrecision(3)) };
  return { peer: { name: PEER, value }, ...budget };
}

interface Times {
  readonly ours: number;
  readonly theirs: number;
}

/** Medians. */
async function byTurns(ours: () => Promise<number>, theirs: () => Promise<number>): Promise<Times> {
  const times: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    times.ours.push(await ours());
    times.theirs.push(await theirs());
  }
  return { ours: median(times.ours), theirs: median(times.theirs) };
}

/** The budget is the time: at most so many times ssh's. */
function rateRows(what: string, mebibytes: number, { ours, theirs }: Times): readonly Row[] {
  const perSecond = (ms: number) => (mebibytes / ms) * 1000;
  const perGibi = (ms: number) => ((ms / mebibytes) * 1024) / 1000;
  return [
    row(`${what}: a GiB`, perGibi(ours), "s", beside(perGibi(theirs), BULK_RATIO)),
    row(what, perSecond(ours), "MiB/s", beside(perSecond(theirs))),
  ];
}
