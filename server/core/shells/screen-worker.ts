/** The thread that rebuilds screens: what sessions show is hostile, and must not keep hpsd itself busy. */
import { parentPort } from "node:worker_threads";
import { type ScreenJob, screenText } from "./screen-text.ts";

parentPort?.on("message", async (job: ScreenJob) => {
  const text = await screenText(job).catch(() => undefined);
  parentPort?.postMessage(text);
});
