import { setTimeout as delay } from "node:timers/promises";
import type { TypedTerminal } from "../lab/typed-terminal.ts";

const TURNS = 10;
const KEYS = 100;
/** In one line, which the terminal's driver keeps until its end. */
const LINE = 50;
/** Between two keys: nobody types at once. Never the same, so that no clock of a program agrees with it. */
const PAUSE_MS = { least: 2, most: 8 };

/** Milliseconds from each key to its echo, in each of the terminals, by turns. */
export async function timeKeys(terminals: readonly TypedTerminal[]): Promise<readonly (readonly number[])[]> {
  const all = terminals.map((terminal) => ({ terminal, times: [] as number[] }));
  for (const { terminal } of all) {
    await terminal.type(`exec sh -c 'echo rea""dy; exec cat > /dev/null'\n`);
    await terminal.shows("ready\r\n");
  }
  for (let turn = 0; turn < TURNS; turn += 1) {
    for (const { terminal, times } of all) times.push(...(await typeKeys(terminal)));
  }
  return all.map(({ times }) => times);
}

async function typeKeys(terminal: TypedTerminal): Promise<number[]> {
  const times: number[] = [];
  for (let key = 1; key <= KEYS; key += 1) {
    if (key % LINE === 0) {
      await terminal.type("\n");
      await terminal.shows("\r\n");
    }
    await delay(PAUSE_MS.least + Math.random() * (PAUSE_MS.most - PAUSE_MS.least));
    times.push(await terminal.echo("x"));
  }
  return times;
}
