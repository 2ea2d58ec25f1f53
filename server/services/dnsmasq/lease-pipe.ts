import { execFile } from "node:child_process";
import { constants, open } from "node:fs";
import { rm } from "node:fs/promises";
import { Socket } from "node:net";
import { promisify } from "node:util";
import { HpsError } from "../../../proto/values/hps-error.ts";
import { type LeaseNews, LeaseRecords, parseLeaseRecord } from "./lease-event.ts";

export interface LeasePipeOptions {
  readonly path: string;
  readonly onNews: (news: LeaseNews) => void;
  readonly log: (line: string) => void;
}

/** Makes the named pipe (0600) that the lease script writes to, and reads it until closed. */
export async function openLeasePipe({ path, onNews, log }: LeasePipeOptions): Promise<{ close(): void }> {
  await rm(path, { force: true });
  try {
    await promisify(execFile)("mkfifo", ["-m", "600", path], { timeout: 10_000 });
  } catch (cause) {
    throw new HpsError("precondition", `cannot make the pipe ${path}`, { cause });
  }
  // Open for both: there is no end of file when the last script has finished.
  const fd = await promisify(open)(path, constants.O_RDWR | constants.O_NONBLOCK);
  const records = new LeaseRecords();
  const socket = new Socket({ fd, readable: true, writable: false });
  socket.on("data", (chunk: Buffer) => {
    for (const record of records.push(chunk)) {
      const event = parseLeaseRecord(record);
      if (event === undefined) log("a lease event that is none was dropped");
      else onNews(event);
    }
  });
  socket.on("error", (error) => log(`the lease pipe broke: ${"code" in error ? error.code : "error"}`));
  return { close: () => void socket.destroy() };
}
