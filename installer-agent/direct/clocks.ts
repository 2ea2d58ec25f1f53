import { readFileSync } from "node:fs";
import type { Clocks } from "./list-time.ts";

/** This machine's, now. */
export function readClocks(): Clocks {
  const [uptime = ""] = readFileSync("/proc/uptime", "utf8").split(" ");
  return {
    wall: Date.now(),
    uptime: Number(uptime) * 1000,
    boot: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
  };
}
