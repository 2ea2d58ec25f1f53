/** hpsd in a guest whose power is cut while images come and go: what each of its disk's flushes left is looked at, and used. */
import { expect } from "vitest";
import type { Hps } from "../../client/sdk/connect.ts";
import { VerifiedKind, VerifiedState } from "../../proto/gen/hps/v1/image_pb.ts";
import { filesIn, imageOf, names, upload, verified } from "../faults/packs-library.ts";
import { hpsdAfterCut } from "../lab/hpsd-after-cut.ts";
import { type HpsdGuest, type HpsdGuestOptions, makeHpsdGuest } from "../lab/hpsd-guest.ts";
import { LibraryDiary, type Span } from "../lab/library-diary.ts";
import { DiskReplay, type Flush } from "../lab/vm/flushed-disk.ts";
import { Dice } from "../runner/dice.ts";
import { scenario } from "../runner/scenario.ts";

const ROUNDS = 3;
/** Looked at, of all flushes. */
const CUTS = 36;
const CALL_MS = 10 * 60_000;

/**
 * Brings images that share content, two at a time; takes some away; and has collected what nobody needs while the next one comes.
 * Answers with how many packs the collection made.
 */
async function useLibrary(hps: Hps, diary: LibraryDiary, round: number): Promise<number> {
  // Four frames of four files: of the first one image needs one.
  const all = names(`round-${round}`, 16);
  const own = (prefix: string) => names(`${prefix}-${round}`, 1);
  await Promise.all([
    diary.import(hps, `all-${round}:1`, imageOf(all)),
    diary.import(hps, `twin-${round}:1`, imageOf([...all.slice(2, 9), ...own("twin")])),
  ]);
  await diary.import(hps, `kept:${round}`, imageOf([...all.slice(0, 4), ...own("kept")]));
  await diary.remove(hps, `all-${round}:1`);
  const [{ madePacks }] = await Promise.all([
    diary.note(hps.images.collectImages({ cluster: "lab" }, { timeoutMs: CALL_MS })),
    diary.import(hps, `next:${round}`, imageOf([...all.slice(8, 14), ...own("next")])),
    diary.remove(hps, `twin-${round}:1`),
  ]);
  return madePacks;
}

/** What an hpsd that goes on from a disk finds wrong, or shows to be. */
async function problemsOf(guest: HpsdGuest, disk: string, diary: LibraryDiary, span: Span): Promise<readonly string[]> {
  await using hpsd = await hpsdAfterCut(guest.origin, disk);
  const { hps } = hpsd;
  const list = async () => {
    const { images } = await hps.images.listImages({ cluster: "lab", pageSize: 1000 });
    return new Map(images.map(({ name, source }) => [name, source?.manifest?.digest ?? ""]));
  };
  const there = await list();
  const problems = [...diary.wrong(there, span), ...(await damageOf(hps))];
  if (problems.length > 0) return problems;
  await verified(hpsd, hps);
  const collect = async () => await hps.images.collectImages({ cluster: "lab" }, { timeoutMs: CALL_MS });
  expect(await collect()).toMatchObject({ damagedPacks: [] });
  const missing = diary.images.find(({ name }) => !there.has(name));
  if (missing !== undefined) await upload(hps, missing.name, missing.image);
  expect(await collect()).toMatchObject({ damagedPacks: [] });
  const needed = await verified(hpsd, hps);
  expect(filesIn(hpsd)).toEqual(expect.arrayContaining(needed));
  expect(filesIn(hpsd).filter((name) => name.includes("incoming-"))).toEqual([]);
  const after = await damageOf(hps);
  await hpsd.end();
  return after;
}

async function damageOf(hps: Hps): Promise<readonly string[]> {
  const problems: string[] = [];
  for await (const { kind, digest, state, problems: why, images } of hps.images.verifyImages({ cluster: "lab" })) {
    // A delta may be on its way.
    if (state === VerifiedState.WHOLE || state === VerifiedState.ARRIVING) continue;
    const what = `${nameOf(VerifiedKind, kind)} ${digest} of ${images.join(", ")}`;
    problems.push(`${what} is ${nameOf(VerifiedState, state)}: ${why.join("; ")}`);
  }
  return problems;
}

const nameOf = (all: Readonly<Record<string, number>>, value: number) =>
  Object.keys(all).find((name) => all[name] === value) ?? String(value);

interface Trial extends HpsdGuestOptions {
  readonly rounds: number;
  /** Besides those that follow an answer. */
  readonly cuts: number;
}

/** What is wrong after cuts of the power, each told with its place. */
async function wrongAfterCuts({ rounds, cuts, ...options }: Trial): Promise<readonly string[]> {
  await using guest = await makeHpsdGuest(options);
  const diary = new LibraryDiary(guest.entries);
  const hps = await guest.start();
  let made = 0;
  for (let round = 0; round < rounds; round += 1) made += await useLibrary(hps, diary, round);
  expect(made).toBeGreaterThan(0);
  const { disk, log } = await guest.end();
  const replay = await DiskReplay.open(disk, log);
  const seed = Date.now() % 2 ** 31;
  const dice = new Dice(seed);
  const chosen = chooseCuts(replay.flushes, diary.answers, cuts, dice);
  console.info(`${chosen.length} of ${replay.flushes.length} flushes, ${diary.answers.length} answers; seed ${seed}`);
  const wrong: string[] = [];
  for (const { flush, to } of chosen) {
    const loses = dice.roll(2) === 0;
    const cut = `${disk}.cut`;
    await replay.cutAfter(flush, cut, () => !loses && dice.roll(2) === 0);
    const found = await problemsOf(guest, cut, diary, { from: flush.entries, to }).catch((error: unknown) => [
      `${error}`,
    ]);
    const place = `after entry ${flush.entries}${loses ? "" : " and some of the next"}`;
    wrong.push(...found.map((problem) => `${place}: ${problem}`));
    if (wrong.length > 0) console.info(wrong.at(-1));
  }
  return wrong;
}

/** In their order: of each answer the last flush that was done before it, and any others; each with the place where the next one is done. */
function chooseCuts(flushes: readonly Flush[], answers: readonly number[], more: number, dice: Dice) {
  const chosen = new Set(dice.some(flushes, more));
  for (const answer of answers) {
    const flush = flushes.findLast(({ entries }) => entries <= answer);
    if (flush !== undefined) chosen.add(flush);
  }
  const inOrder = [...chosen].sort((one, other) => one.entries - other.entries);
  return inOrder.map((flush) => ({
    flush,
    to: flushes.find(({ entries }) => entries > flush.entries)?.entries ?? Number.POSITIVE_INFINITY,
  }));
}

scenario("image-power", async () => {
  expect(await wrongAfterCuts({ rounds: ROUNDS, cuts: CUTS })).toEqual([]);
});

scenario("image-power-sabotage", async () => {
  const wrong = await wrongAfterCuts({ unsynced: "images", rounds: 1, cuts: 0 });
  expect(wrong.join("\n")).toContain("images: files are gone: lab/kept:0");
});
