import { must } from "./run.ts";

const READ_MS = 10 * 60_000;
/**
 * Length, then place and content of every block that is not all zeros; what was never written is not read. Where holes are is no part
 * of it: zeros that a guest had written as such count as data once something has read them, and as a hole when the cache forgot them.
 */
const BLOCKS = `
  my ($SEEK_SET, $SEEK_DATA, $SEEK_HOLE, $BLOCK) = (0, 3, 4, 65536);
  open my $disk, "<:raw", $ARGV[0] or die "$ARGV[0]: $!";
  my ($size, $at, $zeros) = (-s $disk, 0, "\\0" x $BLOCK);
  print pack "Q>", $size;
  while (my $data = sysseek $disk, $at, $SEEK_DATA) {
    my $end = sysseek $disk, $data, $SEEK_HOLE or die "$ARGV[0]: $!";
    for ($at = $data - $data % $BLOCK; $at < $end; $at += $BLOCK) {
      sysseek $disk, $at, $SEEK_SET or die "$ARGV[0]: $!";
      my $length = sysread $disk, my $block, $BLOCK or die "$ARGV[0]: $!";
      print pack "Q>a*", $at, $block if $block ne substr $zeros, 0, $length;
    }
  }
  $!{ENXIO} or die "$ARGV[0]: $!"; # how it says that no more data come`;
const DIGEST = 'perl -we "$1" "$0" | sha256sum';

/** Of every byte of a disk, of a machine that is off or leaves it alone. */
export async function diskDigest(file: string): Promise<string> {
  const argv = ["bash", "-o", "pipefail", "-c", DIGEST, file, BLOCKS];
  return (await must(argv, { timeoutMs: READ_MS })).slice(0, 64);
}

/** A copy with the same bytes, whose holes are holes: else what was never written is read whole at each digest. */
export async function copyDisk(from: string, to: string): Promise<void> {
  await must(["cp", "--sparse=always", from, to], { timeoutMs: READ_MS });
}
