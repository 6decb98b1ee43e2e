"""The part of make-corpus that makes recordings, by libsndfile and libFLAC through ctypes, and the inputs of targets that
take lines or choices."""
import ctypes
import math
import os
import pathlib
import random
import struct
import tempfile

WAV, AIFF, AU, SVX, W64, CAF, FLAC, OGG, RF64, MPEG = (0x10000, 0x20000, 0x30000, 0x60000, 0xB0000, 0x180000, 0x170000,
                                                       0x200000, 0x220000, 0x230000)
S8, PCM16, PCM24, PCM32, U8, FLOAT, DOUBLE, ULAW, ALAW = 1, 2, 3, 4, 5, 6, 7, 0x10, 0x11
IMA, MS, GSM, ALAC16, VORBIS, OPUS, LAYER3 = 0x12, 0x13, 0x20, 0x70, 0x60, 0x64, 0x82
WAVEX = 0x130000
BIG = 0x20000000


class Info(ctypes.Structure):
    _fields_ = [("frames", ctypes.c_int64), ("rate", ctypes.c_int), ("channels", ctypes.c_int),
                ("format", ctypes.c_int), ("sections", ctypes.c_int), ("seekable", ctypes.c_int)]


def record(kind, rate=8000, channels=1, frames=400):
    """Noise that swells; b"" where libsndfile does not write the format."""
    library = ctypes.CDLL("libsndfile.so.1")
    library.sf_open.restype = ctypes.c_void_p
    library.sf_open.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(Info)]
    library.sf_writef_float.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_float), ctypes.c_int64]
    library.sf_writef_float.restype = ctypes.c_int64
    library.sf_close.argtypes = [ctypes.c_void_p]
    library.sf_set_string.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p]
    info = Info(0, rate, channels, kind, 0, 0)
    draw = random.Random(7)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x")
        file = library.sf_open(path.encode(), 0x20, ctypes.byref(info))
        if not file:
            return b""
        library.sf_set_string(file, 1, b"Noise")
        values = [(draw.random() - 0.5) * math.sin(0.01 * i) for i in range(frames) for _ in range(channels)]
        library.sf_writef_float(file, (ctypes.c_float * len(values))(*values), frames)
        library.sf_close(file)
        return steady(pathlib.Path(path).read_bytes())


def record_flac(frames=800, block=192, in_ogg=True):
    library = ctypes.CDLL("libFLAC.so.12")
    for name in ("new",):
        getattr(library, "FLAC__stream_encoder_" + name).restype = ctypes.c_void_p
    encoder = ctypes.c_void_p(library.FLAC__stream_encoder_new())
    library.FLAC__stream_encoder_set_sample_rate(encoder, 16000)
    library.FLAC__stream_encoder_set_channels(encoder, 1)
    library.FLAC__stream_encoder_set_blocksize(encoder, block)
    library.FLAC__stream_encoder_set_ogg_serial_number(encoder, ctypes.c_long(5))
    draw = random.Random(9)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x")
        init = library.FLAC__stream_encoder_init_ogg_file if in_ogg else library.FLAC__stream_encoder_init_file
        if init(encoder, path.encode(), None, None):
            return b""
        values = [draw.randrange(-1000, 1000) for _ in range(frames)]
        library.FLAC__stream_encoder_process_interleaved(encoder, (ctypes.c_int32 * frames)(*values), frames)
        library.FLAC__stream_encoder_finish(encoder)
        library.FLAC__stream_encoder_delete(encoder)
        return pathlib.Path(path).read_bytes()


TABLE = []
for byte in range(256):
    value = byte << 24
    for _ in range(8):
        value = (value << 1 ^ 0x04C11DB7 if value & 0x80000000 else value << 1) & 0xFFFFFFFF
    TABLE.append(value)


def steady(data):
    """Ogg streams have random numbers: one that is always the same."""
    done, at = bytearray(data), 0
    while data[:4] == b"OggS" and at + 27 <= len(data) and data[at:at + 4] == b"OggS":
        segments = data[at + 26]
        n = 27 + segments + sum(data[at + 27:at + 27 + segments])
        done[at + 14:at + 18] = struct.pack("<I", 7)
        done[at + 22:at + 26] = bytes(4)
        crc = 0
        for b in done[at:at + n]:
            crc = crc << 8 & 0xFFFFFFFF ^ TABLE[crc >> 24 ^ b]
        done[at + 22:at + 26] = struct.pack("<I", crc)
        at += n
    return bytes(done)


def big_chunk(name, data):
    return name + struct.pack(">I", len(data)) + data + bytes(len(data) & 1)


def first_packet(data, packet):
    """An Ogg stream with another packet on its first page."""
    rest = data[28 + data[27]:]
    return steady(data[:26] + bytes([1, len(packet)]) + packet + rest)


def other_recordings(put):
    """What is rare: layouts of speakers, channels that cancel each other, codings and blocks that few programs write; and
    some that are long enough to be jumped in."""
    pcm = struct.pack("<200h", *(i * 37 % 9000 - 4500 for i in range(200)))
    voice = big_chunk(b"VHDR", struct.pack(">IIIHBBI", 200, 0, 0, 8000, 1, 0, 65536))
    for name, parts in (("sides", voice + big_chunk(b"CHAN", b"\0\0\0\6") + big_chunk(b"BODY", pcm)),
                        ("left", voice + big_chunk(b"CHAN", b"\0\0\0\2") + big_chunk(b"BODY", pcm)),
                        ("packed", voice[:-5] + b"\1" + voice[-4:] + big_chunk(b"BODY", pcm)),
                        ("unnamed", voice + b"\1\2\3\4" + big_chunk(b"BODY", pcm)),
                        ("two", voice + big_chunk(b"BODY", pcm[:99]) + big_chunk(b"BODY", pcm)),
                        ("none", b"VH")):
        put("wave", "svx-" + name, b"FORM" + struct.pack(">I", 4 + len(parts)) + b"8SVX" + parts)
    for part in (0x30, 0x31, 0x32):
        for order in (0x10000000, 0x20000000):
            data = record(AU | part | order, 8000, 1, 400)
            if data:
                put("wave", "au%x-%d" % (part, order >> 28), data)
    put("wave", "au-other", b".snd" + struct.pack(">IIIII", 24, 100, 99, 8000, 1) + pcm)
    for n, tag, labels in ((2, 101 << 16 | 2, ()), (6, 124 << 16 | 6, ()), (4, 1 << 16, ()), (3, 0, (1, 2, 42)),
                           (4, 0, (33, 34, 1, 2)), (8, 127 << 16 | 8, ()), (2, 0, (2, 1)), (2, 0, (7777, 1))):
        layout = struct.pack(">III", tag, 0x33, len(labels)) + b"".join(struct.pack(">IIfff", k, 0, 0, 0, 0) for k in labels)
        desc = struct.pack(">d4sIIIII", 16000, b"lpcm", 2, 2 * n, 1, n, 16)
        sound = struct.pack(">4sq", b"chan", len(layout)) + layout + struct.pack(">4sqI", b"data", 4 + len(pcm), 0) + pcm
        put("wave", "caf-layout-%d-%x" % (n, tag >> 16 or sum(labels)),
            b"caff\0\1\0\0" + struct.pack(">4sq", b"desc", len(desc)) + desc + sound)
        common = struct.pack(">HIH", n, 200 // n, 16) + b"\x40\x0c\xfa" + bytes(7)
        parts = big_chunk(b"CHAN", layout) + big_chunk(b"COMM", common) + big_chunk(b"SSND", bytes(8) + pcm)
        put("wave", "aiff-layout-%d-%x" % (n, tag >> 16 or sum(labels)), b"FORM" + struct.pack(">I", 4 + len(parts)) + b"AIFF" + parts)
    both = [int(9000 * math.sin(i * 0.1)) for i in range(1200)]
    against = b"".join(struct.pack("<hh", x, -x) for x in both)
    put("wave", "cancel", wave(wave_format(1, 2, 8000, 16), chunk(b"data", against)))
    put("wave", "cancel-right", wave(wave_format(1, 2, 8000, 16), chunk(
        b"data", against + b"".join(struct.pack("<hh", -x // 2, int(x * 0.6)) for x in both * 2))))
    put("sound", "raw-cancel", against * 8)
    put("wave", "steps", wave(wave_format(3, 1, 16000, 32), chunk(b"data", struct.pack(
        "<400f", *((i * 7 + i // 5) % 3 - 1 for i in range(400))))))
    fmt = wave_format(1, 1, 16000, 16)
    put("wave", "cut-joined", wave(fmt, chunk(b"data", pcm * 40))[:1200] + wave(fmt, chunk(b"data", pcm)))
    put("wave", "rates", wave(fmt, chunk(b"data", pcm)) + wave(wave_format(1, 1, 50, 16), chunk(b"data", pcm)))
    put("wave", "channels", wave(wave_format(0x11, 2, 8000, 4, struct.pack("<HH", 2, 505)), chunk(b"data", pcm * 3)))
    put("wave", "no-mpeg", wave(wave_format(0x55, 1, 44100, 0, bytes(14)), chunk(b"data", pcm)))

    opus = record(OGG | OPUS, 16000, 1, 1500)
    head = opus[28:28 + opus[27]]
    if head[:8] == b"OpusHead":
        for name, packet in (("family1", head[:18] + b"\1\1\0\0"), ("family255", head[:18] + b"\xff\1\0\0"),
                             ("three", head[:9] + b"\3" + head[10:18] + b"\1\2\1\0\2\1"), ("cut", head[:18] + b"\1\1"),
                             ("family3", head[:18] + b"\3\1\0\0"), ("nine", head[:9] + b"\11" + head[10:18] + b"\1" + bytes(11)),
                             ("streams", head[:18] + b"\1\0\0\0"), ("version", head[:8] + b"\x10" + head[9:])):
            put("ogg", "opus-" + name, first_packet(opus, packet))
    for block in (192, 256, 576, 1000, 1152, 300):
        put("ogg", "flac%d" % block, record_flac(1400, block))
        put("flac", "block%d" % block, record_flac(1400, block, False))
    put("ogg", "flac-many", record_flac(32 * 140, 32))
    put("flac", "many", record_flac(16 * 140, 16, False))
    for target, name, data in (("wave", "wav", record(WAV | U8, 8000, 1, 40000)), ("ogg", "vorbis", record(OGG | VORBIS, 8000, 1, 28000)),
                               ("ogg", "opus", record(OGG | OPUS, 8000, 1, 28000)), ("mpeg", "mp3", record(MPEG | LAYER3, 8000, 1, 40000)),
                               ("flac", "flac", record(FLAC | S8, 8000, 1, 40000)), ("ogg", "flac", record_flac(52000, 1152)),
                               ("wave", "ima", record(WAV | IMA, 8000, 1, 40000))):
        put(target, "long-" + name, data)
        last = data.rfind(b"OggS")
        if last > 0:
            put(target, "open-" + name, data[:last])
            middle = data.find(b"OggS", len(data) // 2)
            put(target, "gap-" + name, data[:middle] + data[data.find(b"OggS", middle + 1):])
            put(target, "between-" + name, data[:middle] + b"what is this?" * 9 + data[middle:])


def mpeg_frame(second, bitrate, rate, mode, draw):
    """A frame with a right header and random bits: the second byte says version and layer."""
    version, layer = second >> 3 & 3, 4 - (second >> 1 & 3)
    tables = {(3, 1): [32 * i for i in range(15)],
              (3, 2): [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
              (3, 3): [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
              (2, 1): [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
              (2, 2): [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]}
    kbit = tables[(3 if version == 3 else 2, layer if version == 3 else min(layer, 2))][bitrate]
    hertz = [44100, 48000, 32000][rate] // {3: 1, 2: 2, 0: 4}[version]
    if layer == 1:
        size = 12000 * kbit // hertz * 4
    else:
        size = (72000 if layer == 3 and version != 3 else 144000) * kbit // hertz
    head = bytes([0xFF, second, bitrate << 4 | rate << 2, mode])
    return head + bytes(draw.randrange(256) for _ in range(size - 4))


def chunk(name, data, big=False):
    return name + struct.pack(">I" if big else "<I", len(data)) + data + bytes(len(data) & 1)


def wave(*chunks, form=b"RIFF", kind=b"WAVE"):
    body = kind + b"".join(chunks)
    return form + struct.pack("<I", len(body)) + body


def wave_format(tag, channels, rate, bits, extra=b""):
    block = channels * ((bits + 7) // 8)
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits) + extra)


def recordings(put):
    pcm = struct.pack("<200h", *(i * 37 % 9000 - 4500 for i in range(200)))
    for name, kind in {"wav8": WAV | U8, "wav16": WAV | PCM16, "wav24": WAV | PCM24, "wav32": WAV | PCM32,
                       "wavf": WAV | FLOAT, "wavd": WAV | DOUBLE, "ulaw": WAV | ULAW, "alaw": WAV | ALAW,
                       "ima": WAV | IMA, "ms": WAV | MS, "gsm": WAV | GSM, "ex16": WAVEX | PCM16,
                       "exf": WAVEX | FLOAT, "rifx": WAV | PCM16 | BIG, "rf64": RF64 | PCM16, "w64": W64 | PCM24,
                       "w64f": W64 | FLOAT, "aiff": AIFF | PCM16, "aiff24": AIFF | PCM24, "aiff8": AIFF | S8,
                       "aifcf": AIFF | FLOAT, "aifcu": AIFF | ULAW, "aifcima": AIFF | IMA, "sowt": AIFF | PCM16 | 0x10000000,
                       "caf": CAF | PCM16, "caf24": CAF | PCM24, "caff": CAF | FLOAT, "cafu": CAF | ULAW,
                       "alac": CAF | ALAC16, "au": AU | PCM16, "auu": AU | ULAW, "auf": AU | FLOAT, "au8": AU | S8,
                       "svx": SVX | S8, "svx16": SVX | PCM16}.items():
        for channels in (1, 2) if name in ("wav16", "exf", "aiff", "caf", "au", "w64") else (1,):
            data = record(kind, 8000 if channels == 1 else 16000, channels, 160 if "ima" not in name else 1100)
            if data:
                put("wave", "%s-%d" % (name, channels), data)
    fmt = wave_format(1, 1, 16000, 16)
    put("wave", "joined", wave(fmt, chunk(b"data", pcm)) + wave(wave_format(1, 2, 8000, 16), chunk(b"data", pcm)))
    put("wave", "unfinished", b"RIFF\xff\xff\xff\xffWAVE" + fmt + b"data\xff\xff\xff\xff" + pcm)
    put("wave", "zero", b"RIFF\0\0\0\0WAVE" + fmt + b"data\0\0\0\0" + pcm)
    put("wave", "chunks", wave(chunk(b"bext", bytes(602)), chunk(b"LIST", b"INFOINAM\4\0\0\0abc\0"), fmt,
                               chunk(b"fact", b"\xc8\0\0\0"), chunk(b"JUNK", b"abc"), chunk(b"data", pcm[:100]),
                               chunk(b"slnt", b"\x10\0\0\0"), chunk(b"data", pcm), chunk(b"id3 ", b"ID3\3\0\0\0\0\0\0")))
    put("wave", "wavl", wave(fmt, chunk(b"LIST", b"wavl" + chunk(b"data", pcm) + chunk(b"slnt", b"\x10\0\0\0"))))
    guid = b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
    put("wave", "ambisonic", wave(wave_format(0xFFFE, 4, 16000, 16, struct.pack("<HHI", 22, 16, 0) + b"\1\0" + guid),
                                  chunk(b"data", pcm)))
    put("wave", "speakers", wave(wave_format(0xFFFE, 6, 48000, 24, struct.pack("<HHI", 22, 20, 0x3F) + b"\1\0" + guid),
                                 chunk(b"data", pcm)))
    put("wave", "loud", wave(wave_format(3, 1, 16000, 32), chunk(b"data", struct.pack(
        "<60f", *[30000.0 * math.sin(i) for i in range(58)], float("nan"), float("inf")))))
    put("wave", "mp3inside", wave(wave_format(0x55, 1, 44100, 0, struct.pack("<HHIHHH", 12, 1, 2, 417, 1, 1393)),
                                  chunk(b"data", b"".join(mpeg_frame(0xFB, 4, 0, 0xC0, random.Random(i))
                                                          for i in range(3)))))
    put("wave", "g722", wave(wave_format(0x28F, 1, 16000, 4), chunk(b"data", pcm)))
    ds64 = struct.pack("<QQQI", 2000, len(pcm), 200, 1) + b"data" + struct.pack("<Q", len(pcm))
    put("wave", "bw64", wave(chunk(b"ds64", ds64), fmt, b"data\xff\xff\xff\xff" + pcm, form=b"BW64"))
    for name, data in (("id3", b"ID3\4\0\0\0\0\0\x05hello"), ("zeros", bytes(300)), ("newline", b"\r\n")):
        put("wave", name, data + wave(fmt, chunk(b"data", pcm)))

    other_recordings(put)
    put("flac", "mono", record(FLAC | PCM16, 16000, 1, 800))
    put("flac", "stereo24", record(FLAC | PCM24, 44100, 2, 300))
    put("flac", "eight", record(FLAC | S8, 8000, 1, 300))
    one = record(FLAC | PCM16, 16000, 1, 400)
    put("flac", "joined", one + record(FLAC | PCM16, 8000, 2, 300))
    put("flac", "id3", b"ID3\3\0\0\0\0\0\x04abcd" + one + b"TAG" + bytes(125))
    put("flac", "cut", one[:len(one) * 2 // 3])
    put("flac", "headless", one[one.find(b"\xff\xf8"):])
    put("flac", "junk", b"junk before the stream " * 30 + one)
    cue = struct.pack(">I", 5 << 24 | 432) + bytes(432)
    put("flac", "blocks", one[:4] + one[4:42] + cue + bytes([4, 0, 0, 8]) + bytes(8) + bytes([1, 0, 0, 5]) + bytes(5) + one[42:])

    vorbis, opus, inside = record(OGG | VORBIS, 8000, 1, 1500), record(OGG | OPUS, 16000, 1, 1500), record_flac()
    put("ogg", "vorbis", vorbis)
    put("ogg", "vorbis2", record(OGG | VORBIS, 44100, 2, 600))
    put("ogg", "opus", opus)
    put("ogg", "opus2", record(OGG | OPUS, 48000, 2, 1500))
    put("ogg", "flac", inside)
    put("ogg", "chained", vorbis + record(OGG | VORBIS, 16000, 2, 800))
    put("ogg", "mixed", opus + vorbis + inside)
    put("ogg", "cut", vorbis[:len(vorbis) - 50])
    put("ogg", "middle", vorbis[:len(vorbis) // 2] + vorbis[len(vorbis) // 2 + 30:])
    put("ogg", "junk", b"\0" * 40 + opus)
    put("ogg", "speex", steady(opus.replace(b"OpusHead", b"Speex   ")))

    draw = random.Random(3)
    for name, second, mode in (("layer1", 0xFF, 0x60), ("layer2", 0xFD, 0x60), ("layer2mono", 0xFD, 0xC0),
                               ("layer3", 0xFB, 0x60), ("mpeg2layer2", 0xF5, 0x60), ("mpeg2layer3", 0xF3, 0xC0),
                               ("mpeg25", 0xE3, 0xC0), ("joint", 0xFB, 0x70)):
        put("mpeg", name, b"".join(mpeg_frame(second, 1 + i % 5, 1, mode, draw) for i in range(6)))
    mp3 = record(MPEG | LAYER3, 16000, 1, 3000)
    frames = b"".join(mpeg_frame(0xFB, 3, 0, 0xC0, draw) for _ in range(6))
    info = bytearray(mpeg_frame(0xFB, 9, 0, 0xC0, draw))
    info[4:] = bytes(len(info) - 4)
    info[21:29] = b"Info\0\0\0\x0f"
    info[29:37] = struct.pack(">II", 6, 1000)
    info[137:141] = bytes(4)
    info[141:150] = b"LAME3.100"
    info[162:165] = b"\x24\x05\x00"
    vbri = bytearray(info)
    vbri[21:37] = bytes(16)
    vbri[36:62] = b"VBRI\0\1\0\0\0\x4b" + struct.pack(">IIHHHH", 1000, 6, 1, 1, 1, 1)
    for name, data in (("mp3", mp3), ("mp3joined", mp3 + record(MPEG | LAYER3, 32000, 2, 2000)),
                       ("info", bytes(info) + frames), ("vbri", bytes(vbri) + frames),
                       ("id3", b"ID3\3\0\0\0\0\0\x20" + bytes(32) + frames + b"TAG" + bytes(125)),
                       ("ape", frames + b"APETAGEX" + struct.pack("<IIII", 2000, 32, 0, 0) + bytes(8)),
                       ("lyrics", frames + b"LYRICSBEGIN" + b"x" * 20 + b"000031LYRICS200" + b"TAG" + bytes(125)),
                       ("middle", frames[200:]), ("between", frames[:800] + b"garbage" * 20 + frames[800:]),
                       ("free", b"\xff\xfb\x00\xc0" + bytes(100) + b"\xff\xfb\x00\xc0" + bytes(100) + b"\xff\xfb\x00\xc0"),
                       ("kinds", frames + b"".join(mpeg_frame(0xF3, 3, 0, 0xC0, draw) for _ in range(4)))):
        if data:
            put("mpeg", name, data)

    for name, kind in {"paf": 0x50000, "nist": 0x70000, "voc": 0x80000, "ircam": 0xA0000, "mat4": 0xC0000,
                       "mat5": 0xD0000, "pvf": 0xE0000, "xi": 0xF0000, "htk": 0x100000, "sds": 0x110000,
                       "avr": 0x120000, "wve": 0x190000, "mpc2k": 0x210000}.items():
        for part in (PCM16, ALAW, 0x50, S8):
            for channels in (1, 2):
                data = record(kind | part, 8000, channels, 300)
                if data:
                    put("sound", "%s%x-%d" % (name, part, channels), data)
    for name, data in (("text", b"hello, this is no recording\n"), ("zip", b"PK\3\4"), ("elf", b"\x7fELF\2\1\1"),
                       ("html", b"<!DOCTYPE html><html>"), ("mp4", b"\0\0\0\x20ftypM4A \0\0\2\0"), ("json", b"{}"),
                       ("matroska", b"\x1aE\xdf\xa3\x93B\x82\x88matroska"), ("asf", b"0&\xb2u\x8ef\xcf\x11\xa6\xd9"),
                       ("adts", b"\xff\xf1\x50\x80\x02\x1f\xfc" * 9), ("amr", b"#!AMR\n\x3c"), ("zero", bytes(500)),
                       ("midi", b"MThd\0\0\0\6\0\1"), ("dsf", b"DSD \x1c\0\0\0"), ("wavpack", b"wvpk\x20\0\0\0"),
                       ("sds", b"\xf0\x7e\0\1\0\0\x10"), ("ape", b"MAC \x96\x0f"), ("ac3", b"\x0bw\0\0\x14\x40"),
                       ("flv", b"FLV\1\5"), ("ts", (b"G\x40\0\x10" + bytes(184)) * 3), ("gguf", b"GGUF\3\0\0\0"),
                       ("empty", b"")):
        put("sound", name, data)


def lines_and_choices(put, result):
    draw = random.Random(1)
    for target, n, sizes in (("model", 40, (60, 120)), ("elements", 20, (20, 400)), ("session", 24, (20, 60)),
                             ("live", 16, (20, 50)), ("queue", 16, (20, 50)), ("result", 24, (40, 300))):
        for i in range(n):
            data = bytearray(draw.randrange(256) for _ in range(draw.randrange(*sizes)))
            if target == "elements":
                data[:2] = bytes([0, i])
            put(target, "choice%02d" % i, bytes(data))
    put("elements", "pickle", b"\1\x80\x02}q\0(X\1\0\0\0aK\1X\1\0\0\0bM\1\2u.")
    for i, text in enumerate(("", "Hello, world! It's 10 o'clock.", "Grüße aus Köln — schön, nicht?", "日本語のテキスト。",
                              "a" * 200, "  two  spaces\n\nand\ttabs ", "\xff\xfe".encode("latin-1").decode("latin-1"),
                              "don't you'll we've I'm", "<|endoftext|><|en|>", "👩‍👩‍👧 emoji", "١٢٣ abc 123")):
        put("tokenizer", "text%02d" % i, b"\7" + text.encode())
    put("tokenizer", "bytes", b"\7" + bytes(range(1, 256)))
    put("tokenizer", "ids", bytes([0, 5] + [1, 0, 1] * 5))
    put("tokenizer", "pieces", b"\1\4\2ab\3abc\2he\4hell" + b"hello abc abcab")
    for i, name in enumerate(("<|en|>", "<|0.02|>", "<|30.00|>", "<|startoflm|>", "<|nospeech|>", "german", "<|yue|>")):
        put("tokenizer", "name%d" % i, b"\2" + name.encode())
    for i, text in enumerate(("language=German\ntask=translate\n", "temperature=0.0,0.2,0.4\nbeam_size=5\npatience=1.5\n",
                              "clip_timestamps=0,1.5,2,3\nsuppress_tokens=-1,5 ,6\n", "device=cuda:1\ncompute_type=float16\n",
                              "cut=30\nbatch_size=auto\nthreads=2\nseed=-5\n", "languages=en, German ,fr\nstream_step=0.5\n",
                              "vad_threshold=0.4\nvad_neg_threshold=0.6\n", "initial_prompt=x\ninitial_prompt_tokens=1,2\n",
                              "sample_len=5\nmax_new_tokens=6\n", "temperature=0.5\ntemperature_increment_on_fallback=0.1\n",
                              "best_of=None\nlength_penalty=None\ndevice=2\nbackend=cpu\n", "no_such=1\n",
                              "compute_type=int8_float32\nbackend=blas\ncut=off\nlanguage=auto\nlanguages=None\n")):
        put("options", "lines%02d" % i, text)
    for i, text in enumerate(("initial_prompt=Hello, Dr. Noé.\nprefix= And\nhotwords=tea, milk\n",
                              "suppress_regex=[0-9]+|a.*b\nsuppress_tokens=1,2,3\n", "suppress_regex=(\n",
                              "vocabulary=Kubernetes|# a comment||São Paulo|X Æ A-12\nbeam_size=2\n",
                              "vocabulary=abc|ab|a b c|abc\nbest_of=3\nrepetition_penalty=1.3\nno_repeat_ngram_size=2\n",
                              "align=One two three. Four!\n", "vocabulary=" + "long" * 40 + "\n", "vocabulary=...\n", "vocabulary=\xff\n", "vocabulary= a |b\n", "suppress_regex=.*\n",
                              "vocabulary=Noé|Köln|x y z|don't|tea-time|42|e=mc2|naïve café\nbeam_size=2\n",
                              "align=日本語 テキスト\u2028x\nlanguage=ja\n",
                              "initial_prompt_tokens=1,2,3,70,-1\nwithout_timestamps=True\n", "prefix=" + "a b " * 30 + "\n",
                              "hotwords=" + "long " * 40 + "\nmax_new_tokens=20\n", "suppress_blank=False\nlanguage=de\n",
                              "task=translate\nmax_initial_timestamp=0.5\nlength_penalty=0.6\n", "align=...\n",
                              "suppress_regex=\\d+\n", "suppress_regex=(a)\\1\n", "suppress_regex=\\w\\.\\s\n", "suppress_regex=a{2,5}b{3}\n",
                              "suppress_regex=(x{200}){200}\n", "suppress_regex=" + "(" * 30 + "\n", "suppress_regex=[^a]\\\n", "suppress_regex=a{\n",
                              "vocabulary=\u00ef\u00bb\u00bfone|two\n", "vocabulary=" + "x" * 900 + "\n", "vocabulary=# none\n", "vocabulary=\n",
                              "vocabulary=" + "|".join("t%d" % i for i in range(2200)) + "\n", "vocabulary=" + "|".join(["alike"] * 40) + "\n",
                              "confidence=True\nprepend_punctuations=(\nappend_punctuations=.!\nalign=(a) b. c!\n")):
        put("text", "lines%02d" % i, text.encode("latin-1") if "\xff" in text else text)
    for i, text in enumerate(result):
        put("json", "document%d" % i, text)
