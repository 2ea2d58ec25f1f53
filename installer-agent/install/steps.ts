import type { Step } from "./step.ts";
import { bootloader } from "./steps/bootloader.ts";
import { clock } from "./steps/clock.ts";
import { configuration } from "./steps/configuration.ts";
import { network } from "./steps/network.ts";

/** The installation, in order. */
export const STEPS: readonly Step[] = [clock, network, configuration, bootloader];
