/**
 * Room for buffers beside the heap. V8 counts them against what it lets the heap grow by before it marks all of it: of a heap
 * of 20 MB some 16 MB, which a fast stream fills ten times a second, and then half of the processor's time goes on marking.
 * With more room, and the young ones collected by themselves before they fill it, next to nothing is left to mark for.
 * It is a setting of the whole process, so this counts who needs it.
 */
import { getHeapStatistics, setFlagsFromString } from "node:v8";

/** What heap and buffers may grow by before V8 marks; of buffers alone 64 MiB make it mark anyhow. */
const ROOM_BYTES = 64 * 2 ** 20;
/** A heap so large that its room would be a smaller share of it has more by V8's own rule. */
const LEAST_PERCENT = 50;
/** A quarter of the young buffers, in MB, that make V8 collect what is young: as long as they are held, and as V8 has it. */
const YOUNG_MB = { held: 4, usual: 32 };
/** The share is of what the heap is by then: it must not grow unseen. */
const LOOK_MS = 5_000;

let held = 0;
let looking: NodeJS.Timeout | undefined;

/** Until it is disposed of, and everybody else's too. Call when much may be about to pass. */
export function holdBufferRoom(): Disposable {
  held += 1;
  if (held === 1) {
    setFlagsFromString(`--scavenger-max-new-space-capacity-mb=${YOUNG_MB.held}`);
    looking = setInterval(growByRoom, LOOK_MS).unref();
    growByRoom();
  }
  let isHeld = true;
  return {
    [Symbol.dispose]: () => {
      if (!isHeld) return;
      isHeld = false;
      held -= 1;
      if (held === 0) letGo();
    },
  };
}

function letGo(): void {
  clearInterval(looking);
  setFlagsFromString(`--scavenger-max-new-space-capacity-mb=${YOUNG_MB.usual}`);
  growBy(0);
}

function growByRoom(): void {
  const percent = Math.round((ROOM_BYTES / getHeapStatistics().used_heap_size) * 100);
  growBy(percent < LEAST_PERCENT ? 0 : percent);
}

/** Of what is left after each marking; 0: as V8 thinks best. */
function growBy(percent: number): void {
  setFlagsFromString(`--heap-growing-percent=${percent}`);
}
