import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type InstallationSchema,
  type LogLineSchema,
  Outcome,
  type StepSchema,
  StepState,
} from "../../proto/gen/hps/v1/installation_pb.ts";
import { installationStateOf } from "../core/operations/installation-life.ts";
import type {
  InstallationView,
  LogLine,
  PendingEnrolmentView,
  StepView,
} from "../core/operations/installation-view.ts";
import { factsMessage } from "./facts-message.ts";

const OUTCOMES: Record<InstallationView["outcome"], Outcome> = {
  open: Outcome.OPEN,
  succeeded: Outcome.SUCCEEDED,
  cancelled: Outcome.CANCELLED,
  expired: Outcome.EXPIRED,
};

const STEP_STATES: Record<StepView["state"], StepState> = {
  pending: StepState.PENDING,
  running: StepState.RUNNING,
  succeeded: StepState.SUCCEEDED,
  failed: StepState.FAILED,
};

/** An installation as the contract has it. */
export function installationMessage(view: InstallationView): MessageInitShape<typeof InstallationSchema> {
  return {
    id: view.id,
    cluster: view.cluster,
    hostId: view.hostId,
    host: view.host,
    state: installationStateOf(view.state),
    outcome: OUTCOMES[view.outcome],
    reason: view.reason,
    image: view.image,
    imageDigest: view.imageDigest,
    wipeDiskSerials: [...view.wipeDiskSerials],
    armedBy: view.armedBy,
    createTime: timestampFromMs(view.createdAt),
    windowEndTime: timestampFromMs(view.windowEndAt),
    ...(view.endedAt !== null && { endTime: timestampFromMs(view.endedAt) }),
    steps: view.steps.map(stepMessage),
    ...(view.pending && { pendingEnrolment: pendingMessage(view.pending) }),
    attached: view.attached,
    rebootPaused: view.rebootPaused,
    rescue: view.rescue,
    storage: storageMessage(view.storage),
    ...(view.restartAt !== undefined && { restartTime: timestampFromMs(view.restartAt) }),
  };
}

/** Which disk is written, and how, as the contract has it. */
export function storageMessage({ disk, rootSizeBytes, wipe }: InstallationView["storage"]) {
  return { disk, rootSizeBytes: BigInt(rootSizeBytes), wipe };
}

/** A line of a log as the contract has it. */
export function lineMessage({ sequence, at, source, text }: LogLine): MessageInitShape<typeof LogLineSchema> {
  return { sequence: BigInt(sequence), time: timestampFromMs(at), text, source };
}

function stepMessage(step: StepView): MessageInitShape<typeof StepSchema> {
  return {
    name: step.name,
    state: STEP_STATES[step.state],
    attempt: step.attempt,
    done: BigInt(step.done),
    total: BigInt(step.total),
    unit: step.unit,
    reason: step.reason,
    ...(step.startedAt !== null && { startTime: timestampFromMs(step.startedAt) }),
    ...(step.endedAt !== null && { endTime: timestampFromMs(step.endedAt) }),
  };
}

function pendingMessage({ fingerprint, address, requestedAt, facts }: PendingEnrolmentView) {
  const requestTime = timestampFromMs(requestedAt);
  return { fingerprint, address, requestTime, ...(facts && { facts: factsMessage(facts) }) };
}
