"""openai-whisper's calls: `import whisp as whisper`. What scripts do, on invented models, and a real one's words."""
import asyncio
import concurrent.futures
import dataclasses
import html
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from test_module import GREEDY, python

PLAIN = {"hallucination_guard": False, "temperature": 0.0, "threads": 1}


@pytest.fixture(scope="module")
def model(whisp, invented_dir):
    with whisp.load_model("english", invented_dir) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def multilingual(whisp, invented_dir):
    with whisp.load_model("multilingual", device="cpu", download_root=str(invented_dir), in_memory=True) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def answer(model, noise):
    return model.transcribe(noise, word_timestamps=True, **GREEDY)


# -- loading


def test_load_model(whisp, invented_dir, multilingual, tmp_path):
    assert multilingual.device == "cpu" and multilingual.device.type == "cpu" and multilingual.device.index is None
    assert multilingual.to("cpu").eval() is multilingual and isinstance(multilingual, whisp.Whisper)
    with whisp.load_model("english", "cpu", str(invented_dir)) as english:
        assert not english.is_multilingual and isinstance(english.dims, whisp.ModelDimensions)
    with whisp.load_model(str(invented_dir / "english.gguf"), "cpu", tmp_path) as by_path:
        assert by_path.name == "english"
    for wrong in ("tpu", "mps"):
        with pytest.raises((whisp.ArgumentError, whisp.FileError)):
            whisp.load_model("english", wrong)
    with pytest.raises(whisp.ArgumentError, match="bogus"):
        whisp.load_model(invented_dir / "english.gguf", bogus=3)
    with pytest.raises(whisp.FileError, match="nosuch"):
        whisp.load_model("nosuch", download_root=tmp_path)


def test_options_of_a_model(whisp, invented_dir, noise, answer):
    """What load_model() is told holds for every call that does not say otherwise."""
    with whisp.load_model("english", invented_dir, word_timestamps=True, **GREEDY) as model:
        assert model.transcribe(noise) == answer
        assert not any(s.get("words") for s in model.transcribe(noise, word_timestamps=False)["segments"])


def test_transcribe_function(whisp, model, noise, answer):
    assert whisp.transcribe(model, noise, word_timestamps=True, fp16=False, **GREEDY) == answer


# -- results


def test_transcript(whisp, model, answer, tmp_path):
    assert isinstance(answer, dict) and answer.text == answer["text"] and answer.language == "en"
    assert answer.words == [word for s in answer["segments"] for word in s["words"]] and answer.words
    assert answer.speakers == [] and answer.segments is answer["segments"]
    assert whisp.Transcript(segments=[{"speaker": "B"}, {}, {"speaker": "A"}, {"speaker": "B"}]).speakers == ["B", "A"]
    for name in ("txt", "srt", "vtt", "tsv", "json"):
        answer.write(tmp_path / ("a." + name), max_line_width=20)
        assert (tmp_path / ("a." + name)).read_text() == answer.format(name, max_line_width=20)
    answer.write(str(tmp_path / "other"), "srt")
    assert (tmp_path / "other").read_text() == answer.format("srt")
    with open(tmp_path / "open.txt", "w") as file:
        answer.write(file)
    assert (tmp_path / "open.txt").read_text() == answer.format("txt")
    for source in (tmp_path / "a.json", str(tmp_path / "a.json"), json.dumps(answer), json.dumps(answer).encode()):
        assert whisp.Transcript.from_json(source) == answer
    with open(tmp_path / "a.json", "rb") as file:
        assert whisp.Transcript.from_json(file) == answer


def test_transcript_faults(whisp, answer, tmp_path):
    for path, form in (("a.docx", None), ("a", None), ("a.srt", "docx")):
        with pytest.raises(whisp.ArgumentError, match="there are: .*srt"):
            answer.write(tmp_path / path, form)
    with pytest.raises(whisp.FileError):
        answer.write(tmp_path / "none" / "a.srt")
    with pytest.raises(whisp.ArgumentError, match="not a transcript"):
        whisp.Transcript.from_json('{"text": 1}')
    with pytest.raises(OSError):
        whisp.Transcript.from_json(tmp_path / "none.json")
    assert not list(tmp_path.iterdir())


def test_notebook(whisp, answer, monkeypatch):
    shown = answer._repr_html_()
    page, table = shown.split("<details>")
    assert table.count("<tr>") == len(answer["segments"]) + 1 and "<script" not in table
    assert html.unescape(page.split('srcdoc="')[1].split('"')[0]) == answer.format("html")
    monkeypatch.setattr("whisp._transcript.MOST_PAGE", 1000)
    assert "<iframe" not in answer._repr_html_() and "<iframe" not in whisp.Transcript(segments=[])._repr_html_()
    odd = whisp.Transcript(segments=[{"start": 3661, "end": 3662.5, "text": "<script>", "speaker": "A&B"}] * 600,
                           incomplete="x < y")
    shown = odd._repr_html_()
    assert "<script>" not in shown and "A&amp;B" in shown and "1:01:01" in shown
    assert "100 more segments" in shown and "x &lt; y" in shown


def test_writers(whisp, model, answer, noise, tmp_path):
    """whisper.utils.get_writer: the library's documents, under the recording's name."""
    layout = {"max_line_width": 20, "max_line_count": 2, "highlight_words": True}
    whisp.utils.get_writer("all", str(tmp_path))(answer, "some/where/talk.mp3", layout)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["talk." + e for e in ("json", "srt", "tsv", "txt", "vtt")]
    for name in ("srt", "vtt"):
        assert (tmp_path / ("talk." + name)).read_text() == answer.format(name, **layout)
    assert json.loads((tmp_path / "talk.json").read_text()) == answer
    whisp.utils.get_writer("srt", tmp_path)(answer, tmp_path / "kw.wav", max_line_width=20)
    assert (tmp_path / "kw.srt").read_text() == answer.format("srt", max_line_width=20)
    mine = {"text": " Hi", "segments": [{"start": 0.0, "end": 1.5, "text": " Hi"}], "language": "en"}
    with open(tmp_path / "mine.srt", "w") as file:
        whisp.utils.WriteSRT(str(tmp_path)).write_result(mine, file=file)
    assert (tmp_path / "mine.srt").read_text() == "1\n00:00:00,000 --> 00:00:01,500\nHi\n\n"
    with pytest.raises(whisp.ArgumentError, match="docx"):
        whisp.utils.get_writer("docx", ".")


def test_helpers(whisp):
    utils = whisp.utils
    assert utils.format_timestamp(61.5) == "01:01.500" and utils.format_timestamp(3661.0015, decimal_marker=",") == "01:01:01,002"
    assert utils.format_timestamp(1, always_include_hours=True) == "00:00:01.000"
    assert utils.str2bool("True") is True and utils.optional_int("None") is None and utils.optional_float("0.5") == 0.5
    assert utils.exact_div(6, 3) == 2 and utils.compression_ratio("a" * 100) > 5 and utils.make_safe("ä") == "ä"
    assert utils.get_start([]) is None and utils.get_end([{"start": 1.0, "end": 2.0, "text": ""}]) == 2.0
    with pytest.raises(ValueError):
        utils.str2bool("yes")
    with pytest.raises(ValueError):
        utils.exact_div(7, 3)


# -- spectrograms


def test_spectrogram_is_the_librarys(whisp, model, noise):
    numpy = pytest.importorskip("numpy")
    import ctypes
    from whisp._library import library

    samples = numpy.array(noise, dtype=numpy.float32)
    mel = whisp.log_mel_spectrogram(samples).to(model.device)
    assert mel.shape == (80, len(noise) // 160) and mel.dtype == numpy.float32
    theirs = numpy.zeros(mel.shape, dtype=numpy.float32)
    pointers = [x.ctypes.data_as(ctypes.POINTER(ctypes.c_float)) for x in (samples, theirs)]
    n = library().whisp_log_mel(model.handle.pointer, pointers[0], samples.size, pointers[1], theirs.size)
    # openai-whisper reflects the samples at the end, the library has silence there
    assert n == theirs.size and numpy.abs(mel - theirs)[:, :-2].max() < 1e-3
    assert whisp.log_mel_spectrogram(samples, n_mels=128).shape == (128, len(noise) // 160)
    assert whisp.log_mel_spectrogram(samples, padding=480000).shape == (80, len(noise) // 160 + 3000)
    assert whisp.log_mel_spectrogram(numpy.stack([samples, samples])).shape == (2, 80, len(noise) // 160)
    assert mel.unsqueeze(0).cuda().half().permute(0, 2, 1).shape == (1, len(noise) // 160, 80)
    with pytest.raises(whisp.ArgumentError, match="n_mels"):
        whisp.log_mel_spectrogram(samples, n_mels=70)


def test_pad_or_trim(whisp, noise):
    numpy = pytest.importorskip("numpy")
    assert whisp.pad_or_trim(numpy.ones(5, "f4"), 7).tolist() == [1] * 5 + [0] * 2
    assert whisp.pad_or_trim(numpy.ones((3, 5)), 2, axis=0).shape == (2, 5)
    assert len(whisp.pad_or_trim(noise)) == 480000
    assert list(whisp.pad_or_trim([1.0, 2.0, 3.0], 2)) == [1.0, 2.0]
    assert whisp.audio.N_FRAMES == 3000 and whisp.audio.N_SAMPLES == 480000 and whisp.audio.TOKENS_PER_SECOND == 50
    with pytest.raises(whisp.ArgumentError, match="sr=8000"):
        whisp.load_audio("a.wav", sr=8000)


def test_decode(whisp, multilingual, noise):
    """The first window, by its spectrogram: language, tokens, text."""
    numpy = pytest.importorskip("numpy")
    mel = whisp.log_mel_spectrogram(whisp.pad_or_trim(numpy.array(noise, dtype=numpy.float32)))
    token, probabilities = multilingual.detect_language(mel)
    best = max(probabilities, key=probabilities.get)
    assert multilingual.detokenize([token]) == "<|%s|>" % best and sum(probabilities.values()) == pytest.approx(1, abs=1e-4)
    tokens, several = whisp.detect_language(multilingual, mel.unsqueeze(0))
    assert tokens == [token] and several == [probabilities]
    result = whisp.decode(multilingual, mel, whisp.DecodingOptions(fp16=False))
    assert isinstance(result, whisp.DecodingResult) and result.language == best
    assert result.language_probs == pytest.approx(probabilities) and result.temperature == 0
    assert result.tokens and result.avg_logprob < 0 and 0 <= result.no_speech_prob <= 1 and result.compression_ratio > 0
    tokenizer = whisp.tokenizer.get_tokenizer(True, model=multilingual)
    assert tokenizer.decode(result.tokens).strip() == result.text
    assert multilingual.decode(mel, language=best) == dataclasses.replace(result, language_probs=None)
    assert whisp.decode(multilingual, numpy.stack([mel, mel]), language=best)[1].text == result.text
    only = whisp.decode(multilingual, mel, task="lang_id")
    assert only.language == best and only.tokens == []
    short = whisp.decode(multilingual, mel, language="en", sample_len=5, without_timestamps=True, suppress_tokens=[1, 2],
                         prompt=[3, 4], prefix="a", beam_size=2, length_penalty=0.5, patience=1.0)
    assert 0 < len(short.tokens) <= 8
    for wrong in (mel[:, None], mel[:70], numpy.zeros((80, 3001), "f4"), numpy.full((80, 10), numpy.nan, "f4")):
        with pytest.raises(whisp.ArgumentError):
            whisp.decode(multilingual, wrong)


def test_without_numpy(library_file, invented_dir):
    """All of the package imports, and transcribes; what needs NumPy says so."""
    code = """
import sys
sys.modules["numpy"] = None
import whisp as whisper, whisp.faster, whisp.faster.vad, whisp.transcribe, whisp.model
model = whisper.load_model("english", "cpu", sys.argv[1])
model.transcribe(whisper.pad_or_trim([0.0] * 1600, 3200), temperature=0)
try:
    whisper.log_mel_spectrogram([0.0] * 1600)
except whisper.Error as error:
    print(error)
print("torch" in sys.modules)
"""
    out = python(code, invented_dir, WHISP_LIBRARY=library_file)
    assert out.stdout.splitlines()[0].endswith("install numpy (transcribe() does without)"), out
    assert out.stdout.splitlines()[1] == "False"


# -- tokens


def test_tokenizer(whisp, multilingual, model):
    tokenizer = whisp.tokenizer.get_tokenizer(True, language="German", task="translate", model=multilingual)
    names = multilingual.detokenize(list(tokenizer.sot_sequence_including_notimestamps))
    assert names == "<|startoftranscript|><|de|><|translate|><|notimestamps|>"
    assert tokenizer.decode(tokenizer.encode(" Grüße")) == " Grüße"
    tokens = [tokenizer.timestamp_begin + 50, *tokenizer.encode(" a")]
    assert tokenizer.decode(tokens) == " a" and tokenizer.decode_with_timestamps(tokens) == "<|1.00|> a"
    assert multilingual.detokenize([tokenizer.eot, tokenizer.no_speech]) == "<|endoftext|><|nospeech|>"
    assert multilingual.detokenize([tokenizer.sot_prev, tokenizer.sot_lm]) == "<|startofprev|><|startoflm|>"
    assert tokenizer.all_language_codes[:2] == ("en", "zh") and tokenizer.language_token == tokenizer.to_language_token("de")
    assert whisp.tokenizer.LANGUAGES["de"] == "german" and whisp.tokenizer.TO_LANGUAGE_CODE["mandarin"] == "zh"
    english = whisp.tokenizer.get_tokenizer(False, model=model)
    assert english.sot_sequence == (english.sot,) and english.language is None
    assert whisp.tokenizer.get_tokenizer(False).encode("a")  # of a model that is loaded
    with pytest.raises(ValueError):
        whisp.tokenizer.get_tokenizer(True, language="Klingon")


# -- asyncio and queues


def test_async(whisp, model, noise, answer):
    async def both():
        return await asyncio.gather(*(model.transcribe_async(noise, word_timestamps=True, **GREEDY) for _ in range(2)))

    assert asyncio.run(both()) == [answer, answer]


def test_async_is_cancelled(whisp, model, noise):
    """Cancelling the task ends the work before CancelledError comes out."""
    seen, ended = threading.Event(), []

    def progress(done, total):
        seen.set()

    def cancel():
        ended.append(time.monotonic())

    async def main():
        task = asyncio.create_task(model.transcribe_async(noise * 400, progress=progress, cancel=cancel, **GREEDY))
        while not seen.is_set():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        n = len(ended)
        await asyncio.sleep(0.3)
        assert len(ended) == n, "it went on"

    asyncio.run(main())


def test_queue(whisp, model, noise, noise_wav, answer):
    segments = []
    with model.queue(threads=1, batch_size=2) as queue:
        options = {**GREEDY, "word_timestamps": True}
        del options["threads"]
        jobs = [queue.submit(audio, segment=segments.append, **options)
                for audio in (noise, str(noise_wav), noise_wav.read_bytes(), noise_wav.open("rb"))]
        for job in concurrent.futures.as_completed(jobs):
            assert [s["text"] for s in job.result()["segments"]] == [s["text"] for s in answer["segments"]]
        assert len(segments) == 4 * len(answer["segments"])
        with pytest.raises(whisp.ArgumentError, match="bogus"):
            queue.submit(noise, bogus=3)
        with pytest.raises(whisp.AudioError):
            queue.submit(b"nothing")

        async def awaited():
            return await queue.transcribe(noise, **options)

        assert asyncio.run(awaited()).words
    with pytest.raises(whisp.StateError, match="closed"):
        queue.submit(noise)
    queue.close()


def test_queue_stops(whisp, model, noise):
    """A job is cancelled while it runs; an exception in a callback is its exception; leaving by one cancels the rest."""
    class Mine(Exception):
        pass

    def fail(*what):
        raise Mine("mine")

    options = {name: value for name, value in GREEDY.items() if name != "threads"}
    with model.queue(threads=1) as queue:
        long = queue.submit(noise * 400, **options)
        assert long.cancel() and isinstance(long.exception(60), whisp.Cancelled) and not long.cancel()
        assert isinstance(queue.submit(noise, segment=fail, **options).exception(60), Mine)
    with pytest.raises(Mine), model.queue(threads=1) as queue:
        job = queue.submit(noise * 400, **options)
        raise Mine
    assert isinstance(job.exception(0), whisp.Cancelled)


def test_the_gil_is_released(model, noise):
    """Another thread counts during a call of the library; were the GIL held, it could not between two tokens at most."""
    done, counted = threading.Event(), 0

    def work():
        model.transcribe(noise * 3, **GREEDY)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not done.is_set():
        counted += 1
        time.sleep(0.001)
    thread.join()
    assert counted > 3


# -- real words


def test_jfk(whisp, shared, real_model):
    """openai-whisper's own decode() of the reference: its tokens."""
    numpy = pytest.importorskip("numpy")
    expected = json.loads((shared / "reference" / "tiny.en" / "jfk.decode.json").read_text())
    samples = numpy.fromfile(shared / "reference" / "jfk.pcm_176000.f32", dtype="<f4")
    theirs = numpy.fromfile(shared / "reference" / "jfk.mel_80x3000.f32", dtype="<f4").reshape(80, 3000)
    mel = whisp.log_mel_spectrogram(whisp.pad_or_trim(samples))
    assert numpy.abs(mel - theirs).max() < 1e-3
    with whisp.load_model(real_model("tiny.en"), compute_type="f32") as model:
        result = model.decode(theirs, whisp.DecodingOptions(language="en"))
        # What follows the last pair of timestamps is not heard again, as in transcribe(): it belongs to the answer.
        cut_off = model.decode(theirs, whisp.DecodingOptions(language="en", sample_len=25))
    assert cut_off.tokens == expected["tokens"][1:26] and result.text.startswith(cut_off.text)
    theirs = expected["tokens"][1:]  # without <|startoftranscript|>
    assert theirs[: len(result.tokens)] == result.tokens and len(theirs) - len(result.tokens) <= 2
    assert result.text == expected["text"]
    assert result.avg_logprob == pytest.approx(expected["avg_logprob"], abs=1e-2)


def test_verbose_tells_the_language(whisp, model, multilingual, noise, capsys):
    """Its two lines, where a language is looked for and as `verbose` says."""
    look = "Detecting language using up to the first 30 seconds. Use `--language` to specify the language\n"
    found = multilingual.transcribe(noise, verbose=True, **PLAIN)
    out, _ = capsys.readouterr()
    name = "Detected language: %s\n" % whisp.languages()[found["language"]].title()
    assert out.startswith(look) and out.endswith(name) and out.count(" language: ") == 1  # it is unsure until the end
    multilingual.transcribe(noise, verbose=False, **PLAIN)
    assert capsys.readouterr().out == name
    for options in ({"language": found["language"], "verbose": True}, {"verbose": None}):
        multilingual.transcribe(noise, **options, **PLAIN)
        assert "language" not in capsys.readouterr().out
    model.transcribe(noise, verbose=True, **PLAIN)
    assert "language" not in capsys.readouterr().out
    lines = []
    multilingual.transcribe(noise, verbose=False, log=lambda level, text: lines.append(text), **PLAIN)
    assert capsys.readouterr().out == name and any(line.startswith("detected language") for line in lines)


def test_verbose_of_real_speech(whisp, real_model, capsys):
    """The language comes before what is said in it."""
    jfk = Path("../shared/audio/jfk.flac")
    if not jfk.is_file():
        pytest.skip("no ../shared/audio/jfk.flac")
    with whisp.load_model(real_model("base"), threads=2) as model:
        model.transcribe(str(jfk), verbose=True, temperature=0.0)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Detecting") and lines[1] == "Detected language: English" and lines[2].startswith("[00:00.000 -->")


def test_normalizers(root, tmp_path, whisp):
    """The package's own; without it, what to install."""
    env = {"PYTHONPATH": "%s:%s" % (root / "tools" / "python", tmp_path)}
    script = "from whisp.normalizers import BasicTextNormalizer, EnglishTextNormalizer; import whisp.normalizers.english as e;" \
             "print(EnglishTextNormalizer()('A'), BasicTextNormalizer()('B'), e.EnglishNumberNormalizer)"
    done = subprocess.run([sys.executable, "-S", "-c", script], env=env, capture_output=True, text=True)
    assert done.returncode == 1 and 'pip install "libwhisp[normalizers]"' in done.stderr
    package = tmp_path / "whisper_normalizer"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "english.py").write_text("EnglishNumberNormalizer = 7\nEnglishSpellingNormalizer = 8\n"
                                        "class EnglishTextNormalizer:\n    __call__ = lambda self, text: text + '!'\n")
    (package / "basic.py").write_text("remove_symbols = remove_symbols_and_diacritics = None\n"
                                      "class BasicTextNormalizer:\n    __call__ = lambda self, text: text + '?'\n")
    done = subprocess.run([sys.executable, "-S", "-c", script], env=env, capture_output=True, text=True)
    assert done.stdout == "A! B? 7\n", done.stderr
