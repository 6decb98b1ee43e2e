"""A transcript to review, invented: who speaks, what is doubtful and what it may have been are known."""
import json

import recordings

SENTENCES = [
    ("Ann", "Welcome to the show about Share Jet and its makers."),
    ("Ann", "We met them in Bangalore, where Share Jet began."),
    ("Bob", "Thank you. Sharejet is older than people think."),
    ("Ann", "Is the share jet of today the same?"),
    ("Bob", "No, it is not. The ShareChat of today is another thing."),
    ("Ann", "And what is next, Naomi?"),
    ("Bob", "We shall see what is next."),
    ("Ann", "Thanks for listening."),
]
SECONDS = 30


def transcript(sentences=SENTENCES, language="en", doubtful=("Share", "Jet", "Naomi?"), spaced=True, speakers=True):
    """Each word lasts 0.3 s, a breath of 0.2 s is between sentences."""
    segments, at = [], 0.5
    for number, (speaker, text) in enumerate(sentences):
        words = []
        for word in text.split() if spaced else list(text):
            made = {"word": " " + word if spaced else word, "start": round(at, 2), "end": round(at + 0.3, 2), "probability": 0.9,
                    "confidence": 0.35 if word in doubtful else 0.995}
            if word == "Naomi?":
                made["alternatives"] = [{"text": " Noemi?", "logprob": -1.0}, {"text": " know me?", "logprob": -2.0}]
            words.append({**made, **({"speaker": speaker} if speakers else {})})
            at += 0.3
        segments.append({"id": number, "seek": 0, "start": words[0]["start"], "end": words[-1]["end"], "text": "".join(w["word"] for w in words),
                         "tokens": [1, 2, 3], "temperature": 0.0, "avg_logprob": -0.2, "compression_ratio": 1.2, "no_speech_prob": 0.01,
                         "confidence": 0.9, **({"speaker": speaker} if speakers else {}), "words": words})
        at += 0.2
    made = {"text": "".join(s["text"] for s in segments), "segments": segments, "language": language}
    if speakers:
        names = list(dict.fromkeys(speaker for speaker, _ in sentences))
        made.update(speakers=names, turns=[{"start": s["start"], "end": s["end"], "speaker": s["speaker"]} for s in segments])
    return made


def write(folder, name="talk", made=None, sound=True):
    """talk.json and talk.wav in a folder."""
    (folder / (name + ".json")).write_text(json.dumps(made or transcript()))
    if sound:
        recordings.write_wav(folder / (name + ".wav"), recordings.babble(SECONDS))
    return folder / (name + ".json")
