"""The words of a transcript in JSON (whisp -f json --diarize True) with their speakers."""
import json


def words(path):
    """(start, end, speaker or None) of each word; of each segment where it has no words."""
    with open(path, encoding="utf-8") as file:
        segments = json.load(file)["segments"]
    return [(word["start"], word["end"], word.get("speaker", segment.get("speaker")))
            for segment in segments for word in segment.get("words") or [segment]]
