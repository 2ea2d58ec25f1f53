import type { Step } from "./step.ts";
import { bootloader } from "./steps/bootloader.ts";
import { clock } from "./steps/clock.ts";
import { configuration } from "./steps/configuration.ts";
import { finish } from "./steps/finish.ts";
import { image } from "./steps/image.ts";
import { logs } from "./steps/logs.ts";
import { network } from "./steps/network.ts";
import { storage } from "./steps/storage.ts";
import { targetNetwork } from "./steps/target-network.ts";

/** The installation, in order. */
export const STEPS: readonly Step[] = [
  clock,
  network,
  configuration,
  storage,
  image,
  bootloader,
  targetNetwork,
  logs,
  finish,
];
