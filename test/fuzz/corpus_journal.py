"""Journals (lib/journal/journal.c) for fuzzing to start from; make-corpus calls journals()."""
import random
import struct

IDENTITY = b"the version=1\noption a=b\n"  # test/fuzz/fuzz_journal.c's
MASK = (1 << 64) - 1
EMPTY = (0x243F6A8885A308D3, 0x13198A2E03707344)


def turn(x, n):
    return (x << n | x >> (64 - n)) & MASK


def add(key, data):
    """lib/util/key.c."""
    a, b = key
    whole = data[:len(data) // 8 * 8]
    words = [w for w, in struct.iter_unpack("<Q", whole)]
    words += [int.from_bytes(data[len(whole):], "little"), len(data)]
    for word in words:
        a = turn(a ^ word, 29) * 0x9E3779B97F4A7C15 & MASK
        b = (turn((b + word) & MASK, 41) ^ a) * 0xC2B2AE3D27D4EB4F & MASK
    return a, b


START = add(EMPTY, IDENTITY)


def record(key, heard, answer, start=START):
    body = b"answ" + struct.pack("<I2QqihhQ", len(answer), *key, *heard) + answer
    a, b = add(start, body)
    return body + struct.pack("<Q", a ^ b)


def journal(answers, identity=IDENTITY, kind=-1):
    return (b"\0whisp journal 1\n" + record(START, (0, 0, kind, 0, 0), identity, EMPTY)
            + b"".join(record((i, i * i), (100 * i, 3000, 1 + i % 3, i % 2, 7 + i), a) for i, a in enumerate(answers)))


def journals(put):
    draw = random.Random(2)
    answers = [bytes(draw.randrange(256) for _ in range(n)) for n in (0, 1, 8, 40, 200)]
    whole = journal(answers)
    put("journal", "whole", whole)
    put("journal", "aside", b"\2" + whole[1:])
    put("journal", "aside-other", b"\2" + journal(answers, b"the version=1\n")[1:])
    put("journal", "empty", journal([]))
    put("journal", "begun", whole[:9])
    put("journal", "cut", whole[:-3])
    put("journal", "twice", whole + record((1, 1), (100, 3000, 2, 1, 9), b"another answer"))
    put("journal", "value", journal(answers, IDENTITY.replace(b"=b", b"=c")))
    put("journal", "older", journal(answers, b"the version=1\n"))
    put("journal", "longer", journal(answers, IDENTITY + b"option c=d\n"))
    put("journal", "nul", journal(answers, IDENTITY + b"\0x"))
    put("journal", "no-identity", journal(answers, kind=1))
    put("journal", "damaged", whole[:60] + b"?" + whole[61:])
    put("journal", "three", journal(answers[:2]))
    put("journal", "diary", b"\0my diary\n")
    for i in range(36):
        put("journal", "answers%02d" % i, bytes([1, i % 6]) + bytes(draw.randrange(256) for _ in range(draw.randrange(8, 50))))
