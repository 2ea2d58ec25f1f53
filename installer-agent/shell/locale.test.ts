import { expect, test } from "vitest";
import { knownLocales } from "./locale.ts";

const HERE = async () => ["C", "C.utf8", "de_CH.utf8", "de_DE@euro", "POSIX", ""];

test("what the machine has is taken over, however it writes it, and what it lacks is not", async () => {
  const wished = {
    LANG: "de_CH.UTF-8",
    LC_TIME: "de_DE@euro",
    LC_ALL: "en_US.UTF-8",
    LC_CTYPE: "C",
    COLORTERM: "24bit",
  };
  const { LC_ALL: _, ...taken } = wished;
  expect(await knownLocales(wished, HERE)).toEqual(taken);
});

test("nothing is asked where the C library itself has all", async () => {
  const wished = { LANG: "C.UTF-8", LC_ALL: "POSIX", COLORTERM: "truecolor" };
  expect(await knownLocales(wished, () => Promise.reject(new Error("asked")))).toEqual(wished);
});

test("of this machine itself, no locale that nobody has", async () => {
  expect(await knownLocales({ LANG: "xx_YY.UTF-8" })).toEqual({});
});
