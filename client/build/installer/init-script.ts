/*
 * What runs in the installer before the agent, in busybox's shell. Console words that are not the agent's come from here: whatever happens, the
 * last line on a console says what state the machine is in and what to do.
 */

/** Where it lies in the installer. */
export const INIT_PATH = "init";
export const UEVENT_PATH = "lib/hps/uevent";
export const DHCP_PATH = "lib/hps/dhcp-event";

/** How a first process begins, whatever it is for: file systems, words for consoles, drivers for what is there. */
export const BEGINNING = `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C HOME=/root
umask 022

mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o nosuid,nodev,noexec sys /sys
mount -t devtmpfs -o nosuid,mode=0755 dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o nosuid,noexec,mode=0620,ptmxmode=0666 devpts /dev/pts
mount -t tmpfs -o nosuid,nodev,mode=1777 shm /dev/shm
mount -t tmpfs -o nosuid,nodev,mode=0755 run /run
mount -t tmpfs -o nosuid,nodev,mode=1777 tmp /tmp
mkdir -p /run/hps
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr

# On every active console: a machine's only screen may not be the last one named on the kernel's line.
say() {
	for console in $(cat /sys/class/tty/console/active); do
		echo "HPS: $*" 2>/dev/null >"/dev/$console"
	done
}

# A word of the kernel's line.
told() {
	for word in $(cat /proc/cmdline); do
		[ "$word" = "$1" ] && return 0
	done
	return 1
}

# Drivers for the devices that have none yet, by what each device calls itself; fails when there was nothing new.
load_drivers() {
	cat /sys/bus/*/devices/*/modalias 2>/dev/null | sort -u >/run/hps/devices.now
	[ -f /run/hps/devices.seen ] || echo none >/run/hps/devices.seen # without a pattern grep finds everything
	grep -vxFf /run/hps/devices.seen /run/hps/devices.now >/run/hps/devices.new || return 1
	mv /run/hps/devices.now /run/hps/devices.seen
	xargs modprobe -a -q -b </run/hps/devices.new 2>/dev/null
	return 0
}
`;

/** The first process: file systems, drivers, then the agent, again when it crashed, but not for ever. */
export const INIT = String.raw`${BEGINNING}
say "starting; looking for network cards and disks"
round=0
while [ $round -lt 8 ] && load_drivers; do
	round=$((round + 1))
done
# From here on the kernel tells of every device that appears.
uevent /lib/hps/uevent </dev/null >/dev/null 2>&1 &
load_drivers
modprobe -a -q loop squashfs dm-mod 2>/dev/null
if [ -d /sys/firmware/efi ]; then
	modprobe -q efivarfs 2>/dev/null
	mount -t efivarfs -o nosuid,nodev,noexec efivarfs /sys/firmware/efi/efivars
fi
told debug || dmesg -n 4
ip link set lo up
hostname hps-installer

# Only for whoever made the kernel's line: the shell is root's, asks nothing, and can read the claim and the agent's key.
if told hps.shell=console; then
	say "hps.shell=console was said: anyone at this console is root"
	(while :; do
		setsid cttyhack sh -l </dev/console >/dev/console 2>&1
		sleep 1
	done) &
fi

rest() {
	say "$*"
	say "Nothing more happens until this machine is restarted; hpsctl host get HOST says what hpsd makes of it."
	while :; do
		sleep 3600
	done
}

[ -f /etc/hps/claim.json ] || rest "this machine was booted without a claim: boot it from the network by hpsd, with the host armed"

crashes=0
while :; do
	began=$(cut -d. -f1 /proc/uptime)
	# What the agent says goes to the consoles and to hpsd by itself; only the last words of a crash are for here.
	/opt/hps/node /opt/hps/hps-agent.js --mode installer --claim /etc/hps/claim.json --set-clock --bare-metal \
		</dev/null >/run/hps/agent.out 2>&1
	code=$?
	ended=$(cut -d. -f1 /proc/uptime)
	case $code in
	0) rest "the agent has ended" ;;
	130) rest "the installation was cancelled" ;;
	[2-9] | 1[0-4]) rest "the agent cannot go on; the lines above say why" ;;
	esac
	tail -n 20 /run/hps/agent.out | while IFS= read -r line; do
		say "agent: $line"
	done
	[ $((ended - began)) -gt 600 ] && crashes=0
	crashes=$((crashes + 1))
	[ $crashes -ge 5 ] && rest "the agent crashed $crashes times (last code $code) and is not started again"
	say "the agent crashed (code $code); starting it again in $((crashes * 2)) s, time $crashes of 4"
	sleep $((crashes * 2))
done
`;

/** Run for every event of the kernel: the driver of a device that appeared. */
export const UEVENT = `#!/bin/sh
[ "$ACTION" = add ] && [ -n "$MODALIAS" ] && exec modprobe -q -b "$MODALIAS"
exit 0
`;

/** What udhcpc runs: hands what happened to the agent, on the standard output, as strings ended by zero bytes. Values are the network's and are not looked at here. */
export const DHCP_EVENT = String.raw`#!/bin/sh
printf '\0HPS-DHCP %s\0' "$1"
cat /proc/self/environ
printf '\0'
`;
