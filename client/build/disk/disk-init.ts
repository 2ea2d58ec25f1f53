/*
 * What runs in a throw-away machine that reads a disk: the installer's system with another first process, which mounts what the disk's own
 * fstab names and lets the agent write the tree. What it says goes to hpsctl line by line: `started`, `left out …`, `error …`, `done`.
 */
import { BEGINNING } from "../installer/init-script.ts";

/** Where it lies. */
export const DISK_INIT_PATH = "hps-disk-init";

export const DISK_INIT = `${BEGINNING}
modprobe -a -q virtio_pci virtio_blk virtio_console ext4 xfs squashfs 2>/dev/null
round=0
while [ $round -lt 8 ] && load_drivers; do
	round=$((round + 1))
done

seconds=0
until { [ -b /dev/vda ] && grep -qs hps.say /sys/class/virtio-ports/*/name; } || [ $seconds -ge 60 ]; do
	sleep 1
	seconds=$((seconds + 1))
done
for port in /sys/class/virtio-ports/*; do
	case $(cat "$port/name") in
	hps.data) data=/dev/$(basename "$port") ;;
	hps.say) words=/dev/$(basename "$port") ;;
	esac
done

tell() {
	echo "$*" >"$words"
}

stop() {
	tell "$*"
	poweroff -f
	sleep 3600
}

attach() {
	for type in ext4 xfs squashfs; do
		mount -t $type -o ro "$1" "$2" 2>/dev/null && return 0
	done
	return 1
}

tell started
[ -b /dev/vda ] || stop "error the machine did not find the disk"

wanted=
for word in $(cat /proc/cmdline); do
	case $word in
	hps.partition=*) wanted=/dev/vda$(echo "$word" | cut -d= -f2) ;;
	esac
done
roots=
for device in /dev/vda /dev/vda[0-9]*; do
	[ -b "$device" ] || continue
	[ -z "$wanted" ] || [ "$device" = "$wanted" ] || continue
	attach "$device" /mnt || continue
	[ -f /mnt/etc/passwd ] && [ -d /mnt/usr ] && roots="$roots $device"
	umount /mnt
done
set -- $roots
[ $# -gt 0 ] || stop "error no partition holds a system on a file system that is read here (ext2 to ext4, XFS, squashfs; no LVM, no RAID, none that is encrypted)"
[ $# -eq 1 ] || stop "error several partitions hold a system ($(echo "$*" | sed 's#/dev/vda##g')): choose one by --partition"
attach "$1" /mnt

if [ -f /mnt/etc/fstab ]; then
	grep -v '^[[:space:]]*#' /mnt/etc/fstab >/run/hps/fstab
	while read -r what where type rest; do
		case $type in ext2 | ext3 | ext4 | xfs) ;; *) continue ;; esac
		case $where in / | *..*) continue ;; /*) ;; *) continue ;; esac
		device=$(findfs "$(echo "$what" | tr -d '"')" 2>/dev/null)
		if [ -n "$device" ] && attach "$device" "/mnt$where"; then
			continue
		fi
		case $where in
		/boot | /usr | /var | /opt | /etc | /usr/* | /var/lib | /var/lib/*)
			stop "error $where is on $what, which is not on this disk or cannot be read"
			;;
		esac
		tell "left out: $where, on $what, which is not on this disk or cannot be read"
	done </run/hps/fstab
fi

/opt/hps/node /opt/hps/hps-agent.js capture --root /mnt --whole >"$data" 2>/run/hps/agent.out </dev/null ||
	stop "error $(tail -n 1 /run/hps/agent.out)"
stop "done"
`;
