"""whisp.faster: faster-whisper's calls, on invented models, and a real one's words."""
import dataclasses
import gc
import io
import threading
import time

import pytest

GREEDY = {"language": "en", "temperature": 0.0, "beam_size": 1, "hallucination_guard": False}


@pytest.fixture(scope="module")
def faster(whisp):
    import whisp.faster

    return whisp.faster


@pytest.fixture(scope="module")
def model(faster, invented_dir):
    return faster.WhisperModel("english", device="cpu", compute_type="float32", cpu_threads=1, download_root=str(invented_dir))


def test_segments(model, noise, whisp, invented_dir):
    """The words of transcribe(), as objects, from a generator, with what is known before."""
    segments, info = model.transcribe(noise, **GREEDY)
    assert iter(segments) is segments
    found = list(segments)
    with whisp.load_model("english", invented_dir, compute_type="f32", threads=1) as plain:
        expected = plain.transcribe(noise, best_of=5, cut="off", **GREEDY)
    kept = [s for s in expected["segments"] if s["text"].strip() and s["end"] > s["start"]]
    assert kept and [s.text for s in found] == [s["text"] for s in kept]
    assert [s.id for s in found] == list(range(1, len(kept) + 1))
    assert [(s.start, s.end, s.tokens) for s in found] == [(s["start"], s["end"], s["tokens"]) for s in kept]
    assert found[0].words is None and found[0]._asdict()["temperature"] == 0.0
    assert (info.language, info.language_probability, info.duration) == ("en", 1.0, pytest.approx(7))
    assert info.duration_after_vad == info.duration and info.vad_options is None and info.all_language_probs is None
    assert info.transcription_options.beam_size == 1 and "duration" in dataclasses.asdict(info)


def test_words(model, noise):
    segments, _ = model.transcribe(noise, word_timestamps=True, **GREEDY)
    words = [word for segment in segments for word in segment.words]
    assert words and all(word.start <= word.end and 0 <= word.probability <= 1 and word.word for word in words)


def test_recordings(model, noise, noise_wav):
    """Paths, files, bytes and samples say the same."""
    texts = set()
    for audio in (str(noise_wav), noise_wav, noise_wav.read_bytes(), io.BytesIO(noise_wav.read_bytes()), noise):
        segments, info = model.transcribe(audio, **GREEDY)
        texts.add("".join(segment.text for segment in segments))
        assert info.duration == 7.0
    assert len(texts) == 1 and texts.pop()


def working():
    return [thread for thread in threading.enumerate() if thread.name == "whisp segments"]


def test_lazy(model, noise):
    """Nothing is done before the first segment is asked for; a generator that is closed or dropped ends the work."""
    segments, _ = model.transcribe(noise * 40, **GREEDY)
    time.sleep(0.05)
    assert not working()
    next(segments)
    assert working()
    segments.close()
    assert not working()
    segments, _ = model.transcribe(noise * 40, **GREEDY)
    next(segments)
    del segments
    gc.collect()
    assert not working()


def test_errors(faster, model, noise, whisp, tmp_path):
    with pytest.raises(whisp.ArgumentError, match="bogus"):
        list(model.transcribe(noise, bogus=3)[0])
    with pytest.raises(whisp.ArgumentError, match="prompt_reset_on_temperature"):
        model.transcribe(noise, prompt_reset_on_temperature=0.1)
    with pytest.raises(whisp.FileError):
        model.transcribe(str(tmp_path / "none.wav"))
    with pytest.raises(whisp.FileError, match="large-v9"):
        faster.WhisperModel("Systran/faster-whisper-large-v9")
    with pytest.raises(TypeError, match="loudness"):
        model.transcribe(noise, vad_filter=True, vad_parameters={"loudness": 1})
    with pytest.warns(whisp.LibraryWarning, match="language_detection_segments has no effect"):
        model.transcribe(noise, language_detection_segments=3, **GREEDY)


def test_names(faster, whisp, invented_dir, noise_wav, noise):
    from whisp.faster.utils import model_name

    assert model_name("Systran/faster-whisper-base") == "base"
    assert model_name("Systran/faster-distil-whisper-large-v3") == "distil-large-v3"
    assert model_name("deepdml/faster-whisper-large-v3-turbo-ct2") == "large-v3-turbo"
    assert model_name("base") == "base" and model_name("models/base.gguf") == "models/base.gguf"
    assert faster.download_model("english", output_dir=str(invented_dir)) == str(invented_dir / "english.gguf")
    assert list(faster.decode_audio(str(noise_wav))) == list(noise)
    assert faster.format_timestamp(3661.5) == "01:01:01.500"


def test_batched(faster, model, noise):
    segments, info = faster.BatchedInferencePipeline(model=model).transcribe(
        list(noise) * 10, batch_size=16, vad_filter=False, **GREEDY)
    found = list(segments)
    assert found and found[-1].end > 50 and info.duration == pytest.approx(70)
    clips = [{"start": 0.0, "end": 5.0}, {"start": 30.0, "end": 35.0}]
    segments, _ = faster.BatchedInferencePipeline(model).transcribe(list(noise) * 10, clip_timestamps=clips, **GREEDY)
    assert all(s.start <= 5 or 30 <= s.start <= 35 for s in segments)


def test_language(faster, invented_dir, noise):
    model = faster.WhisperModel("multilingual", download_root=str(invented_dir))
    language, probability, all_of_them = model.detect_language(noise)
    assert all_of_them[0] == (language, probability) and len(all_of_them) == len(model.supported_languages) == 99
    _, info = model.transcribe(noise)
    assert (info.language, info.language_probability) == (language, probability) and info.all_language_probs == all_of_them


def test_real_words(faster, real_model, shared):
    """Voice activity, beams and words on a real model: what Kennedy said."""
    real_model("silero-vad")
    from whisp.faster.vad import VadOptions, get_speech_timestamps

    path = str(shared / "audio" / "jfk.mp3")
    model = faster.WhisperModel(str(real_model("tiny.en")), compute_type="float32")
    segments, info = model.transcribe(path, vad_filter=True, vad_parameters=dict(min_silence_duration_ms=500))
    assert "ask not what your country can do for you" in "".join(segment.text for segment in segments)
    assert 8 < info.duration_after_vad <= info.duration and info.vad_options == VadOptions(min_silence_duration_ms=500)
    spans = get_speech_timestamps(faster.decode_audio(path), VadOptions(min_silence_duration_ms=500))
    assert sum(span["end"] - span["start"] for span in spans) == pytest.approx(16000 * info.duration_after_vad, abs=16)


def test_long_recordings(faster, model, noise_wav, monkeypatch):
    """They are not decoded into memory at once; words and length are those of the samples."""
    expected = [s.text for s in model.transcribe(noise_wav, **GREEDY)[0]]
    monkeypatch.setattr("whisp._recording._LONG", 5.0)
    monkeypatch.setattr("whisp._recording.decode", None)
    segments, info = model.transcribe(noise_wav, **GREEDY)
    assert [s.text for s in segments] == expected and info.duration == 7.0


def test_vad_of_the_pipeline(faster, real_model, shared):
    """It listens for shorter pauses, as faster-whisper's does; where there is no model of voices it goes without."""
    real_model("silero-vad")
    model = faster.WhisperModel(str(real_model("tiny.en")))
    segments, info = faster.BatchedInferencePipeline(model).transcribe(str(shared / "audio" / "jfk.mp3"))
    assert (info.vad_options.min_silence_duration_ms, info.vad_options.max_speech_duration_s) == (160, 30)
    assert "ask not what your country can do for you" in "".join(segment.text for segment in segments)
