"""What scripts get wrong: each is an error in words, or what was meant; never something else with no word about it."""
import array
import os
import pickle
import threading
import time

import pytest

GREEDY = {"hallucination_guard": False, "language": "en", "temperature": 0.0, "threads": 1}


@pytest.fixture(scope="module")
def model(whisp, invented_dir):
    with whisp.load_model("english", invented_dir) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def answer(model, noise):
    return model.transcribe(noise, **GREEDY)


def test_whole_numbers_are_16_bit_integers(whisp, model, noise, answer):
    """A list of them too: as floats they would be noise of 90 dB above full scale, and be transcribed as that."""
    whole = [int(value * 32768) for value in noise]
    assert model.transcribe(whole, **GREEDY) == model.transcribe(array.array("h", whole), **GREEDY) == answer
    assert model.transcribe(whisp.pad_or_trim(whole, len(whole)), **GREEDY) == answer
    for audio in ([40000] * 100, {0.5, 0.25}, {"array": whole, "sampling_rate": 16000}):
        with pytest.raises(whisp.ArgumentError):
            model.transcribe(audio, **GREEDY)


def test_spectrograms_of_integers(whisp, noise):
    np = pytest.importorskip("numpy")
    whole = (np.asarray(noise) * 32768).astype(np.int16)
    assert np.array_equal(whisp.log_mel_spectrogram(whole), whisp.log_mel_spectrogram(noise))
    for kind in (np.int32, np.uint8, np.complex64):
        with pytest.raises(whisp.ArgumentError, match="16-bit"):
            whisp.log_mel_spectrogram(np.zeros(1600, kind))


def test_option_values(whisp, model, noise, answer):
    np = pytest.importorskip("numpy")
    assert model.transcribe(noise, **{**GREEDY, "temperature": np.array(0.0)}) == answer
    with pytest.raises(whisp.ArgumentError, match="True or False"):
        model.transcribe(noise, word_timestamps=np.array([True, False]))
    for wrong, meant in (("wordtimestamps", "word_timestamps"), ("beamsize", "beam_size"), ("Language", "language")):
        with pytest.raises(whisp.ArgumentError, match=r"%s \(%s\?\)" % (wrong, meant)):
            model.transcribe(noise, **{wrong: True})


def test_layout(whisp, answer):
    """A number that C's int does not hold is no other number, and a name that is none is not passed over."""
    for layout in ({"max_line_width": 2**32 + 5}, {"max_line_wdth": 5}, {"subtitle_style": 5}, {"doubtful_share": "x"}):
        with pytest.raises(whisp.ArgumentError):
            whisp.format_transcript(answer, "srt", **layout)


def test_writers_keep_what_is_there(whisp, answer, tmp_path):
    (tmp_path / "talk.srt").write_text("of before")
    with pytest.raises(whisp.ArgumentError):
        whisp.utils.get_writer("srt", tmp_path)(answer, "talk.mp3", {"max_line_width": "x"})
    assert (tmp_path / "talk.srt").read_text() == "of before"


def test_a_device_that_is_none(whisp, invented_dir):
    """Not taken for a folder of models."""
    from whisp.faster import WhisperModel

    path = invented_dir / "english.gguf"
    for load in (whisp.load_model, WhisperModel):
        with pytest.raises(whisp.ArgumentError, match="device"):
            load(str(path), "tpu")


def test_faster_of_an_english_model(whisp, invented_dir, noise):
    """As in faster-whisper: the language is English, and it says so."""
    from whisp.faster import WhisperModel

    model = WhisperModel(str(invented_dir / "english.gguf"), cpu_threads=1)
    with pytest.warns(whisp.LibraryWarning, match="English only"):
        _, info = model.transcribe(noise, language="de")
    assert info.language == "en"
    for options in ({"language": "xx"}, {"clip_timestamps": [{"from": 0}]}):
        with pytest.raises(whisp.ArgumentError):
            model.transcribe(noise, **options)


def test_pickled(whisp, invented_dir, noise, answer):
    """A model goes to another process as its path."""
    with whisp.load_model("english", invented_dir, compute_type="f32", threads=1) as model:
        with pickle.loads(pickle.dumps(model)) as again:
            assert again.transcribe(noise, **GREEDY) == model.transcribe(noise, **GREEDY)
    with whisp.load_model((invented_dir / "english.gguf").read_bytes()) as model:
        with pytest.raises(TypeError, match="memory"):
            pickle.dumps(model)


def in_a_child(function):
    """How a child of this process ends: "fine", an exception's name, or None where it hangs."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            function()
            said = "fine"
        except BaseException as error:
            said = type(error).__name__
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    end = time.monotonic() + 30
    while not os.waitpid(child, os.WNOHANG)[0]:
        if time.monotonic() > end:
            os.kill(child, 9)
            os.waitpid(child, 0)
            break
        time.sleep(0.02)
    with os.fdopen(reading) as pipe:
        return pipe.read() or None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python 3.12 warns of forks of threads, which this is about
def test_fork(whisp, model, noise, answer, build):
    """A model works in the child; what has threads refuses, where it would wait for ever."""

    def transcribe():
        assert model.transcribe(noise, **GREEDY) == answer

    live = whisp.Live(model, threads=1, temperature=0.0)
    assert live.push(noise[:16000]) is not None
    with model.queue(threads=1) as queue, model.session(**{**GREEDY, "threads": 2}) as session:
        assert queue.submit(noise, **GREEDY).result()["text"] == session.transcribe(noise)["text"] == answer["text"]
        assert in_a_child(transcribe) == "fine"
        assert in_a_child(lambda: queue.submit(noise, **GREEDY).result()) == "StateError"
        assert in_a_child(lambda: session.transcribe(noise)) == "StateError"
        assert in_a_child(lambda: live.push(noise[:16000])) == "StateError"
        with live._lock:  # as while another thread pushes
            assert in_a_child(lambda: live.tail) == in_a_child(live.finish) == "StateError"
            assert in_a_child(live.close) == "fine"
        assert in_a_child(lambda: (queue.close(), session.close())) == "fine"
    live.finish()
    live.close()
    # Speakers' threads are each call's own: it works there.
    speakers = whisp.Speakers(build / "test" / "invented-speakers.gguf", compute_type="f32")
    turns = speakers.diarize(noise, threads=2)

    def diarize():
        assert speakers.diarize(noise, threads=2) == turns

    assert in_a_child(diarize) == "fine"


@pytest.mark.parametrize("where", ["segment", "done"])
def test_a_queue_closed_by_its_callback(whisp, model, noise, where):
    """It would wait for itself."""
    raised, told = [], threading.Event()

    def close(*_):
        try:
            queue.close()
        except whisp.StateError as error:
            raised.append(error)
        told.set()

    queue = model.queue(threads=1)  # not by with, which would wait too
    job = queue.submit(noise, **GREEDY, **({"segment": close} if where == "segment" else {}))
    if where == "done":
        job.add_done_callback(close)
    assert told.wait(30) and raised
    assert job.result()["text"]
    queue.close()
