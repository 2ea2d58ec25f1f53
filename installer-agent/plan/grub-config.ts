import { ENVIRONMENT_COPIES } from "./boot-environment.ts";
import type { SerialConsole } from "./consoles.ts";
import { grubWord } from "./grub-word.ts";

/** Seconds before the firmware is asked for its next device when this disk starts nothing. */
const PATIENCE = 20;

export interface GrubConfigOrder {
  /** UUIDs of the file systems of boot-a and boot-b. */
  readonly bootA: string;
  readonly bootB: string;
  /** Where Linux's console is a serial line, GRUB speaks there too. */
  readonly serial?: SerialConsole;
}

/**
 * `/hps/grub.cfg` of the ESP, the same for both firmwares and for the whole life of the disk; what changes is the
 * environment and each slot's own slot.cfg. A slot on trial gets one boot, spent before it is made. A slot that cannot be
 * started is named, then the other is tried, then the firmware's next device: a machine without a system can be installed.
 */
export function grubConfig({ bootA, bootB, serial }: GrubConfigOrder): string {
  return `# Written by HPS. Chooses the slot to start; what a slot starts is in slot.cfg of its boot partition.
${terminals(serial)}
function hps_read {
  set slot=
  set trial=
  set tries=
  load_env --file "$1" slot trial tries
}

function hps_start {
  set hps_loaded=
  set hps_disk=
  echo "HPS: starting slot $1"
  search --no-floppy --fs-uuid --set=hps_disk "$2"
  if [ -z "$hps_disk" ]; then
    echo "HPS: slot $1 is broken: no boot partition with UUID $2"
  elif [ ! -s "($hps_disk)/slot.cfg" ]; then
    echo "HPS: slot $1 is broken: its boot partition has no slot.cfg"
  else
    set root="$hps_disk"
    source "($hps_disk)/slot.cfg"
    if [ "$hps_loaded" = yes ]; then
      boot
    fi
    echo "HPS: slot $1 is broken: its kernel does not load"
  fi
}

function hps_slot {
  if [ "$1" = a ]; then
    hps_start a ${grubWord(bootA)}
  elif [ "$1" = b ]; then
    hps_start b ${grubWord(bootB)}
  fi
}

hps_read "$prefix/${ENVIRONMENT_COPIES[0]}"
if [ -z "$slot" ]; then
  hps_read "$prefix/${ENVIRONMENT_COPIES[1]}"
fi

if [ "$tries" = 1 ]; then
  set tries=0
${ENVIRONMENT_COPIES.map((copy) => `  save_env --file "$prefix/${copy}" tries\n`).join("")}  set hps_tried=$trial
  hps_read "$prefix/${ENVIRONMENT_COPIES[0]}"
  if [ "$tries" = 0 -a "$trial" = "$hps_tried" ]; then
    hps_slot "$trial"
  else
    echo "HPS: slot $hps_tried is not tried: the disk does not keep that it was"
  fi
fi

if [ "$slot" = a ]; then
  hps_slot a
  hps_slot b
elif [ "$slot" = b ]; then
  hps_slot b
  hps_slot a
elif [ "$slot" = none ]; then
  echo "HPS: the installation of this disk was not finished"
else
  echo "HPS: the boot environment of this disk cannot be read"
fi
echo "HPS: this disk starts nothing; the firmware's next device in ${PATIENCE} s. Boot from the network to install."
sleep ${PATIENCE}
exit 1
`;
}

function terminals(serial: SerialConsole | undefined): string {
  if (serial === undefined) return "";
  return `if serial --unit=${serial.unit} --speed=${serial.speed}; then
  terminal_input console serial
  terminal_output console serial
fi
`;
}

/** What one slot starts; paths as on its boot partition, which is mounted at /boot: `/vmlinuz-6.1.0-32-amd64`. */
export interface SlotStart {
  readonly kernel: string;
  readonly initrd: string;
  /** The kernel's command line, word by word. */
  readonly arguments: readonly string[];
  /** Digest of the image of packs that the slot was made from. */
  readonly image?: string | undefined;
}

/** What says in a slot.cfg which image its slot is; only a remark to GRUB. */
const IMAGE_REMARK = "# From the image sha256:";

/** `slot.cfg`. A kernel that loads without its initrd would panic, so only both are loaded. */
export function slotConfig(start: SlotStart): string {
  const from = start.image === undefined ? "" : `${IMAGE_REMARK}${start.image}\n`;
  return `# Written by HPS: what this slot starts.
${from}if linux ${[start.kernel, ...start.arguments].map(grubWord).join(" ")}; then
  if initrd ${grubWord(start.initrd)}; then
    set hps_loaded=yes
  fi
fi
`;
}

/** The digest of the image that the slot with this slot.cfg was made from, as that says; undefined where it does not. */
export function slotImage(config: string): string | undefined {
  const line = config.split("\n").find((one) => one.startsWith(IMAGE_REMARK));
  const digest = line?.slice(IMAGE_REMARK.length);
  return digest !== undefined && /^[0-9a-f]{64}$/.test(digest) ? digest : undefined;
}
