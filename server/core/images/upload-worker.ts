/** The thread of one upload: see upload-work.ts. */
import { parentPort, workerData } from "node:worker_threads";
import { sentError } from "../../../proto/flow/sent-error.ts";
import { DEFECT } from "./thread-failure.ts";
import type { UploadCall, UploadReply } from "./upload-thread.ts";
import { type UploadStart, UploadWork } from "./upload-work.ts";

const work = new UploadWork(workerData satisfies UploadStart);

function answerTo(call: UploadCall): UploadReply {
  try {
    switch (call.kind) {
      case "manifest":
        work.manifest(call.data);
        return { kind: "manifest" };
      case "plan":
        return { kind: "plan", plan: work.plan() };
      case "frame":
        return { kind: "frame", stored: work.frame(call.frame) };
      case "finish":
        return { kind: "finish", packs: work.finish() };
    }
  } catch (error) {
    work.close();
    return { kind: "failure", failure: sentError(error, DEFECT) };
  }
}

parentPort?.on("message", (call: UploadCall) => parentPort?.postMessage(answerTo(call)));
