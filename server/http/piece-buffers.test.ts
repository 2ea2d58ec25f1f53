import { expect, test } from "vitest";
import { PieceBuffers } from "./piece-buffers.ts";

test("what comes back is lent again, to one at a time", () => {
  const buffers = new PieceBuffers();
  const [one, other] = [buffers.take(), buffers.take()];
  expect(other).not.toBe(one);
  buffers.give(one);
  expect(buffers.take()).toBe(one);
  buffers.forget();
  expect(buffers.take()).not.toBe(other);
  expect(buffers.lent).toBe(2);
});

test("2048 readers that stop hold some 150 MiB; no more than a few read ahead", () => {
  const buffers = new PieceBuffers();
  let ahead = 0;
  const lent = Array.from({ length: 2048 }, () => {
    if (buffers.hasSpare) ahead += 1;
    return buffers.take();
  });
  const bytes = lent.reduce((sum, { length }) => sum + length, 0);
  expect(bytes).toBe(128 * 256 * 1024 + 1920 * 64 * 1024);
  expect(ahead).toBe(64);
});

test("when all are back, all but a few are let go", () => {
  const buffers = new PieceBuffers();
  const lent = new Set(Array.from({ length: 300 }, () => buffers.take()));
  for (const buffer of lent) buffers.give(buffer);
  expect(buffers.lent).toBe(0);
  const known = Array.from({ length: 300 }, () => buffers.take()).filter((buffer) => lent.has(buffer));
  expect(known).toHaveLength(16);
});
