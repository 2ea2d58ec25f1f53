#!/usr/bin/env python3
"""A second reader of HPS images, written from docs/image-format.md alone: prints what a file holds, or why it is refused.

    reader.py manifest|stored-manifest|pack|delta|signature|key-set FILE [--old FOLDER] [--trust HEX]...

A delta is also applied when --old names the old tree; a signature is also checked when --trust names keys. FILE is binary, or
hexadecimal when its name ends in .hex, or a list of examples in hexadecimal when it ends in .json: then only the judgement on
each of that kind is printed.
"""
import contextlib
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile

MIB = 1 << 20
OBJECT = 4 * MIB
MOST = 2**53 - 1


class Refused(Exception):
    pass


def must(condition, why):
    if not condition:
        raise Refused(why)


class Bytes:
    """What is left to read of some bytes."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        must(self.at + count <= len(self.data), "it ends too soon")
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self):
        return self.take(1)[0]

    def number(self, most=MOST, least=0):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            must(value <= most, "a number above its bound")
            must(shift < 64, "a number that does not end")
            if byte < 128:
                break
            shift += 7
        must(byte != 0 or shift == 0, "a number not in its shortest form")
        must(value >= least, "a number below its bound")
        return value

    def signed(self, most):
        coded = self.number()
        value = coded // 2 if coded % 2 == 0 else -(coded + 1) // 2
        must(-most <= value <= most, "a signed number beyond its bounds")
        return value

    def string(self, most):
        return self.take(self.number(most))

    def magic(self, name):
        must(self.take(len(name)) == name, "another magic")
        must(self.byte() == 1, "another version")

    def plain(self, most):
        text = self.string(most)
        must(all(0x21 <= byte <= 0x7E for byte in text), "text that is not plain")
        return text.decode("ascii")

    def end(self):
        must(self.at == len(self.data), "bytes are left over")


def sha256(data):
    return hashlib.sha256(data).digest()


def shown(name):
    return "".join(chr(byte) if 0x21 <= byte <= 0x7E and byte not in b"\\" else f"\\x{byte:02x}" for byte in name) or "(empty)"


# zstd


def grown(count):
    return count + count // 128 + 1024


def zstd(frame, length, window=None):
    """The content of exactly one frame, of `length` bytes."""
    must(len(frame) <= grown(length), "a frame that grew")
    must(content_size(frame) == length, "a frame of another length")
    must(frame_end(frame) == len(frame), "a frame and something more, or less")
    with tempfile.TemporaryDirectory() as folder:
        command = ["zstd", "-d", "-q", "-c"]
        if window is not None:
            with open(f"{folder}/window", "wb") as file:
                file.write(window)
            command += ["-D", f"{folder}/window"]
        done = subprocess.run(command, input=frame, capture_output=True)
    must(done.returncode == 0 and len(done.stdout) == length, "a frame that does not decode")
    return done.stdout


def frame_header(frame):
    """Where its parts stand: content size, and the end of the header."""
    must(len(frame) >= 5 and frame[:4] == b"\x28\xb5\x2f\xfd", "no zstd frame")
    flags = frame[4]
    must(flags & 0x08 == 0, "a frame of an unknown kind")
    single = flags & 0x20
    at = 5
    if not single:
        must(len(frame) > 5, "no zstd frame")
        base = 1 << (10 + (frame[5] >> 3))
        must(base + base // 8 * (frame[5] & 7) <= 128 * MIB, "a window too large")
        at = 6
    ids = [0, 1, 2, 4][flags & 3]
    must(not any(frame[at : at + ids]), "a dictionary with an id")
    at += ids
    width = [1 if single else 0, 2, 4, 8][flags >> 6]
    must(width > 0, "a frame of unknown length")
    field = frame[at : at + width]
    must(len(field) == width, "no zstd frame")
    size = int.from_bytes(field, "little") + (256 if width == 2 else 0)
    must(not single or size <= 128 * MIB, "a window too large")
    return size, at + width, bool(flags & 4)


def content_size(frame):
    return frame_header(frame)[0]


def frame_end(frame):
    _, at, checksum = frame_header(frame)
    while True:
        must(at + 3 <= len(frame), "a frame that is cut")
        head = int.from_bytes(frame[at : at + 3], "little")
        kind, size = head >> 1 & 3, head >> 3
        must(kind != 3 and size <= 128 << 10, "no block of a frame")
        at += 3 + (1 if kind == 1 else size)
        if head & 1:
            return at + (4 if checksum else 0)


# Manifest

TYPES = {1: "file", 2: "directory", 3: "symlink", 4: "hardlink", 5: "character", 6: "block", 7: "fifo"}


def in_order(path):
    return [name for name in path.split(b"/")] if path else []


def check_path(path):
    names = path.split(b"/")
    must(len(path) <= 4095 and len(names) <= 128 and b"\0" not in path, "a path beyond the bounds")
    must(all(1 <= len(name) <= 255 and name not in (b".", b"..") for name in names), "a path with a name that is none")


def read_manifest(data):
    must(len(data) <= 512 * MIB, "a manifest too long")
    reader = Bytes(data)
    reader.magic(b"HPSIMG\0")
    objects = []
    for _ in range(reader.number(10_000_000)):
        objects.append((reader.take(32), reader.number(OBJECT, 1)))
    must(len({digest for digest, _ in objects}) == len(objects), "an object twice")
    entries, folders, used, total = [], set(), 0, 0
    for number in range(reader.number(10_000_000, 1)):
        before = entries[-1]["path"] if entries else b""
        entry = read_entry(reader, before, number, entries, folders)
        if entry["type"] == "file":
            stored = read_content(reader, entry)
            total += stored
            must(total <= 2**40, "too much content")
            entry["objects"] = []
            while stored > 0:
                back = reader.number()
                must(back <= used and used - back < len(objects), "a reference to nothing")
                length = min(stored, OBJECT)
                must(objects[used - back][1] == length, "an object of another length")
                entry["objects"].append(used - back)
                used += back == 0
                stored -= length
        entries.append(entry)
    must(used == len(objects), "an object of no file")
    reader.end()
    return objects, entries


def read_entry(reader, before, number, entries, folders):
    kind = reader.byte()
    must(kind in TYPES, "an entry of an unknown type")
    shared = reader.number(len(before))
    path = before[:shared] + reader.string(4095)
    must(os.path.commonprefix([before, path]) == before[:shared], "a path that shares more than it says")
    if number == 0:
        must(path == b"" and kind == 2, "the root is not first")
    else:
        must(in_order(before) < in_order(path), "a path out of order")
        check_path(path)
        must(path.rpartition(b"/")[0] in folders, "a path in no folder")
    entry = {"path": path, "type": TYPES[kind]}
    if kind == 2:
        folders.add(path)
    if kind == 4:
        entry["target"] = target = reader.number()
        must(target < number and entries[target]["type"] not in ("directory", "hardlink"), "a link to nothing")
        return entry
    entry["mode"] = 0o777 if kind == 3 else reader.number(0o7777)
    entry["uid"], entry["gid"] = reader.number(2**32 - 2), reader.number(2**32 - 2)
    entry["seconds"], entry["ns"] = reader.signed(10**12), reader.number(999_999_999)
    must(entry["seconds"] < 10**12 or entry["ns"] == 0, "a time beyond the bounds")
    entry["xattrs"] = [(reader.string(255), reader.string(65536)) for _ in range(reader.number())]
    names = [name for name, _ in entry["xattrs"]]
    must(all(name and b"\0" not in name for name in names), "an attribute without a proper name")
    must(all(one < other for one, other in zip(names, names[1:])), "attributes out of order")
    must(sum(len(name) + 1 for name in names) <= 65536, "too many attributes")
    if kind == 3:
        entry["link"] = reader.string(4095)
        must(entry["link"] and b"\0" not in entry["link"], "a symlink to nothing")
    if kind in (5, 6):
        entry["device"] = (reader.number(4095), reader.number(1_048_575))
    return entry


def read_content(reader, entry):
    """Size and pieces of a file; gives the length of its data."""
    entry["size"] = size = reader.number()
    pieces = reader.number(2**20 + 1)
    if pieces == 0:
        entry["pieces"] = None
        return size
    entry["pieces"], end = [], 0
    for index in range(pieces - 1):
        gap, length = reader.number(), reader.number(least=1)
        must(gap > 0 or index == 0, "pieces that touch")
        start, end = end + gap, end + gap + length
        must(end <= size and start % 4096 == 0 and (end % 4096 == 0 or end == size), "a piece off its place")
        entry["pieces"].append((start, length))
    stored = sum(length for _, length in entry["pieces"])
    must(stored < size, "a sparse file without a hole")
    return stored


def show_manifest(data):
    objects, entries = read_manifest(data)
    print(f"manifest sha256:{sha256(data).hex()}")
    for number, (digest, length) in enumerate(objects):
        print(f"object {number} {digest.hex()} {length}")
    for number, entry in enumerate(entries):
        print(f"entry {number} {show_entry(entry)}")


def show_entry(entry):
    words = [entry["type"], shown(entry["path"])]
    if "target" in entry:
        return " ".join([*words, f"-> entry {entry['target']}"])
    words += [f"{entry['mode']:04o}", f"{entry['uid']}:{entry['gid']}", f"{entry['seconds']}+{entry['ns']}"]
    words += [f"{shown(name)}={value.hex()}" for name, value in entry["xattrs"]]
    if "link" in entry:
        words.append(f"-> {shown(entry['link'])}")
    if "device" in entry:
        words.append("{}:{}".format(*entry["device"]))
    if "size" in entry:
        words.append(f"{entry['size']} bytes")
        if entry["pieces"] is not None:
            words.append("data " + " ".join(f"{start}+{length}" for start, length in entry["pieces"]))
        words.append(f"objects {entry['objects']}")
    return " ".join(words)


def show_stored_manifest(data):
    length = content_size(data)
    must(1 <= length <= 512 * MIB, "a manifest too long")
    show_manifest(zstd(data, length))


# Packs and deltas


def read_index(data, magic, end_magic):
    """The index of a file, and where its parts begin and end."""
    head = Bytes(data)
    head.magic(magic)
    must(len(data) >= head.at + 56, "no trailer")
    trailer = data[-56:]
    must(trailer[48:55] == end_magic, "another end magic")
    must(trailer[55] == 1, "another version")
    offset = int.from_bytes(trailer[:8], "little")
    stored, length = int.from_bytes(trailer[8:12], "little"), int.from_bytes(trailer[12:16], "little")
    must(length <= 32 * MIB, "an index too long")
    must(head.at <= offset and offset + stored == len(data) - 56, "an index that lies elsewhere")
    index = data[offset : offset + stored]
    must(sha256(index) == trailer[16:48], "an index of another digest")
    return Bytes(zstd(index, length)), head.at, offset


def show_pack(data):
    index, at, end = read_index(data, b"HPSPACK", b"HPSPEND")
    frames, count = [], 0
    for _ in range(index.number(2**18, 1)):
        stored = index.number(least=1)
        objects = [(index.take(32), index.number(OBJECT, 1)) for _ in range(index.number(OBJECT, 1))]
        length = sum(size for _, size in objects)
        count += len(objects)
        must(length <= OBJECT and stored <= grown(length) and count <= 2**18, "a frame beyond the bounds")
        frames.append((at, stored, length, objects))
        at += stored
    index.end()
    must(at == end, "frames that end elsewhere")
    print(f"pack sha256:{sha256(data).hex()}")
    for at, stored, length, objects in frames:
        content = Bytes(zstd(data[at : at + stored], length))
        print(f"frame at {at}, {stored} bytes for {length}")
        for digest, size in objects:
            must(sha256(content.take(size)) == digest, "an object of another digest")
            print(f"  object {digest.hex()} {size}")


def show_delta(data, old):
    index, at, end = read_index(data, b"HPSDELTA", b"HPSDEND")
    base, target = index.take(32), index.take(32)
    paths = [index.string(4095) for _ in range(index.number(2**18))]
    for path in paths:
        check_path(path)
    must(all(in_order(one) < in_order(other) for one, other in zip(paths, paths[1:])), "paths out of order")
    objects = [read_delta_object(index, paths) for _ in range(index.number(2**18, 1))]
    must(sum(len(pieces) for _, _, pieces in objects) <= 2**19, "too many pieces")
    index.end()
    must(at + sum(piece[1] for _, _, pieces in objects for piece in pieces) == end, "pieces that end elsewhere")
    print(f"delta from sha256:{base.hex()}\n        to sha256:{target.hex()}")
    for digest, length, pieces in objects:
        print(f"object {digest.hex()} {length}")
        content = b""
        for size, stored, window in pieces:
            where = "alone" if window is None else f"with {shown(window[0])} {window[1]}+{window[2]}"
            print(f"  piece at {at}, {stored} bytes for {size}, {where}")
            if old is not None:
                content += zstd(data[at : at + stored], size, None if window is None else old_content(old, *window))
            at += stored
        must(old is None or sha256(content) == digest, "an object of another digest")


def read_delta_object(index, paths):
    digest, length = index.take(32), index.number(OBJECT)
    pieces = []
    for _ in range(index.number(64, 1)):
        size, stored, path = index.number(MIB, 1), index.number(least=1), index.number(len(paths))
        must(stored <= grown(size), "a piece that grew")
        window = None
        if path > 0:
            window = (paths[path - 1], index.number(MOST - 2 * MIB), index.number(2 * MIB, 8))
        pieces.append((size, stored, window))
    must(sum(piece[0] for piece in pieces) == length, "pieces of another length than their object")
    return digest, length, pieces


def old_content(old, path, offset, length):
    with open(os.path.join(os.fsencode(old), path), "rb") as file:
        file.seek(offset)
        content = file.read(length)
    must(len(content) == length, "a window beyond its file")
    must(content[:4] != b"\x37\xa4\x30\xec", "a window that begins as a dictionary")
    return content


# Signatures

SPKI = bytes.fromhex("302a300506032b6570032100")


def check_signature(signed, key_id, signature, trusted):
    keys = [key for key in trusted if sha256(SPKI + key) == key_id]
    must(keys, "a key that is not trusted")
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("key", SPKI + keys[0]), ("signed", signed), ("signature", signature)):
            with open(f"{folder}/{name}", "wb") as file:
                file.write(content)
        command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", f"{folder}/key"]
        command += ["-in", f"{folder}/signed", "-sigfile", f"{folder}/signature"]
        must(subprocess.run(command, capture_output=True).returncode == 0, "a signature that is wrong")


def show_signature(data, trusted):
    reader = Bytes(data)
    reader.magic(b"HPSSIG")
    must(reader.number() == 1, "an image of another format")
    cluster, name, digest, time = reader.plain(255), reader.plain(257), reader.take(32), reader.number()
    signed = data[: reader.at]
    key_id, signature = reader.take(32), reader.take(64)
    reader.end()
    if trusted:
        check_signature(signed, key_id, signature, trusted)
    print(f"cluster {cluster}\nname {name}\ndigest sha256:{digest.hex()}\ntime {time}\nkey {key_id.hex()}")


def show_key_set(data, trusted):
    reader = Bytes(data)
    reader.magic(b"HPSKEYS")
    cluster, serial, time = reader.plain(255), reader.number(), reader.number()
    keys = [(reader.take(32), reader.plain(255)) for _ in range(reader.number(64, 1))]
    must(all(one[0] < other[0] for one, other in zip(keys, keys[1:])), "keys out of order")
    signed = data[: reader.at]
    key_id = None
    if reader.at < len(data):
        key_id, signature = reader.take(32), reader.take(64)
        reader.end()
        if trusted:
            check_signature(signed, key_id, signature, trusted)
    print(f"cluster {cluster}\nserial {serial}\ntime {time}")
    for key, label in keys:
        print(f"key {key.hex()} {label}")
    print("unsigned" if key_id is None else f"signed by {key_id.hex()}")


def show(kind, data, old, trusted):
    {
        "manifest": lambda: show_manifest(data),
        "stored-manifest": lambda: show_stored_manifest(data),
        "pack": lambda: show_pack(data),
        "delta": lambda: show_delta(data, old),
        "signature": lambda: show_signature(data, trusted),
        "key-set": lambda: show_key_set(data, trusted),
    }[kind]()


def judged(kind, data, old, trusted):
    try:
        show(kind, data, old, trusted)
    except Refused as why:
        return f"refused: {why}"
    return ""


def main(kind, path, *options):
    pairs = list(zip(options[::2], options[1::2]))
    old = next((value for name, value in pairs if name == "--old"), None)
    trusted = [bytes.fromhex(value) for name, value in pairs if name == "--trust"]
    with open(path, "rb") as file:
        data = file.read()
    if path.endswith(".json"):
        for example in json.loads(data):
            if example["kind"] == kind:
                with contextlib.redirect_stdout(io.StringIO()):
                    judgement = judged(kind, bytes.fromhex(example["hex"]), old, trusted)
                print(f"{example['because']}: {judgement or 'good'}")
        return 0
    if path.endswith(".hex"):
        data = bytes.fromhex(data.decode("ascii"))
    judgement = judged(kind, data, old, trusted)
    if judgement:
        print(judgement)
    return 1 if judgement else 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
