"""Speech of libespeak-ng with the times of its words, from the library's own events: for bench/word-times."""
import ctypes
import wave

RETRIEVAL, PHONEMES_TOO = 2, 1      # of espeak_Initialize
UTF8 = 1                            # of espeak_Synth
END_OF_LIST, WORD, SENTENCE_END, PHONEME = 0, 1, 5, 7


class Name(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class Event(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("identifier", ctypes.c_uint), ("position", ctypes.c_int),
                ("length", ctypes.c_int), ("milliseconds", ctypes.c_int), ("sample", ctypes.c_int),
                ("user", ctypes.c_void_p), ("id", Name)]


CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event))


class Voice:
    """One for a process: the library has one state."""

    def __init__(self):
        self.library = ctypes.CDLL("libespeak-ng.so.1")
        self.rate = self.library.espeak_Initialize(RETRIEVAL, 0, None, PHONEMES_TOO)
        if self.rate <= 0:
            raise SystemExit("libespeak-ng does not start: is espeak-ng-data there?")
        self.samples, self.events = bytearray(), []
        self.callback = CALLBACK(self.take)
        self.library.espeak_SetSynthCallback(self.callback)

    def take(self, samples, n, events):
        if n > 0 and samples:
            self.samples += ctypes.string_at(samples, 2 * n)
        i = 0
        while events[i].type != END_OF_LIST:
            e = events[i]
            self.events.append((e.type, e.position, e.length, e.sample, e.id.string if e.type == PHONEME else b""))
            i += 1
        return 0

    def say(self, language, text, path):
        """Write the speech as WAV; [word, start, end], a word's end being where the next one or a pause begins."""
        self.samples.clear()
        self.events.clear()
        if self.library.espeak_SetVoiceByName(language.encode()):
            raise SystemExit("espeak-ng has no voice " + language)
        data = text.encode()
        self.library.espeak_Synth(data, len(data) + 1, 0, 1, 0, UTF8, None, None)
        self.library.espeak_Synchronize()
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(self.rate)
            file.writeframes(bytes(self.samples))
        words = []
        for kind, position, length, sample, name in self.events:
            if kind == WORD:
                if words and words[-1][2] is None:
                    words[-1][2] = sample / self.rate
                words.append([text[position - 1:position - 1 + length], sample / self.rate, None])
            elif words and words[-1][2] is None and (
                    kind == SENTENCE_END or kind == PHONEME and name.startswith(b"_") and name != b"_|"):
                words[-1][2] = sample / self.rate
        return [word for word in words if word[2] is not None]
