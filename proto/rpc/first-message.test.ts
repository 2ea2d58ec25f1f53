import { expect, test } from "vitest";
import { dataOf, firstMessage } from "./first-message.ts";

type Message = { readonly message: { readonly case?: string | undefined; readonly value?: unknown } };

async function* said(...messages: readonly Message["message"][]): AsyncGenerator<Message> {
  for (const message of messages) yield { message };
}

const data = (text: string) => ({ case: "data", value: Buffer.from(text) });
const silent: AsyncIterator<Message> = { next: () => new Promise(() => undefined) };

test("the first message comes, or its absence is said in time", async () => {
  expect(await firstMessage(said(data("a")))).toMatchObject({ message: { case: "data" } });
  await expect(firstMessage(said())).rejects.toMatchObject({ code: "invalid" });
  await expect(firstMessage(silent, 5)).rejects.toMatchObject({ code: "deadline" });
});

test("data comes in order until the stream ends", async () => {
  const chunks = await Array.fromAsync(dataOf(said(data("arc"), data("hive"))));
  expect(Buffer.concat(chunks).toString()).toBe("archive");
});

test("a sender that stalls is let go, and one that sends no data is refused", async () => {
  await expect(dataOf(silent, 5).next()).rejects.toMatchObject({ code: "deadline", message: /stalls/ });
  for (const wrong of [{ case: "image", value: {} }, { case: undefined }, data("")]) {
    await expect(Array.fromAsync(dataOf(said(data("a"), wrong)))).rejects.toMatchObject({ code: "invalid" });
  }
});
