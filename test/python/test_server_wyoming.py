"""whisp-server speaks the Wyoming protocol: with its own Python package, as Home Assistant does, and with bytes."""
import asyncio
import json
import socket
import struct

import pytest
from wyoming.asr import Transcribe, Transcript, TranscriptChunk, TranscriptStart, TranscriptStop
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong

import recordings
import served


@pytest.fixture(scope="module")
def server(build, invented_dir):
    port = served.free_port()
    with served.Server(build, invented_dir, "--model", "multilingual", "--model", "english", "--wyoming_port", port,
                       *served.ONCE) as s:
        s.wyoming = port
        yield s


async def command(port, samples, rate=16000, channels=1, start=True, piece=2048, **wanted):
    """As Home Assistant does; all events until the transcript's end, or an error."""
    async with AsyncTcpClient("127.0.0.1", port) as client:
        await client.write_event(Transcribe(**wanted).event())
        if start:
            await client.write_event(AudioStart(rate=rate, width=2, channels=channels).event())
        for i in range(0, len(samples), piece):
            await client.write_event(AudioChunk(rate=rate, width=2, channels=channels, audio=samples[i : i + piece]).event())
        await client.write_event(AudioStop().event())
        return await events_until_the_end(client)


async def events_until_the_end(client):
    found = []
    while True:
        event = await asyncio.wait_for(client.read_event(), served.PATIENCE)
        found.append(event)
        if event is None or TranscriptStop.is_type(event.type) or Error.is_type(event.type):
            return found


def transcript(events):
    found = [Transcript.from_event(e) for e in events if e and Transcript.is_type(e.type)]
    assert len(found) == 1, [e and (e.type, e.data) for e in events]
    return found[0]


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, served.PATIENCE))


def test_it_describes_itself(server):
    async def ask():
        async with AsyncTcpClient("127.0.0.1", server.wyoming) as client:
            await client.write_event(Describe().event())
            return await client.read_event()

    event = run(ask())
    assert Info.is_type(event.type)
    info = Info.from_event(event)
    program, = info.asr
    assert program.name == "whisp" and program.installed and program.supports_transcript_streaming
    assert program.models[0].name == "multilingual" and "de" in program.models[0].languages
    assert {m.name for m in program.models} >= {"multilingual", "english"}
    assert not info.tts and not info.wake and not info.handle and not info.intent


def test_a_command_becomes_the_text_that_http_gives(server, noise_wav):
    samples = noise_wav.read_bytes()[44:]
    events = run(command(server.wyoming, samples, name="english"))
    assert [e.type for e in events if e.type != "transcript-chunk"] == ["transcript-start", "transcript", "transcript-stop"]
    text = transcript(events).text
    assert text == server.transcribe(noise_wav).json["text"] and text
    chunks = [TranscriptChunk.from_event(e).text for e in events if TranscriptChunk.is_type(e.type)]
    assert "".join(chunks).strip() == text


def test_language_model_rate_and_no_audio_start(server):
    samples = recordings.babble(3)
    german = transcript(run(command(server.wyoming, samples.tobytes(), language="de")))
    assert german.language == "de"
    stereo = b"".join(struct.pack("<hh", v, v) for v in samples for _ in range(3))
    assert transcript(run(command(server.wyoming, stereo, rate=48000, channels=2, name="english"))) is not None
    alike = [transcript(run(command(server.wyoming, samples.tobytes(), name="english", start=start))).text for start in (1, 0)]
    assert alike[0] == alike[1]


def test_several_commands_and_pings_on_one_connection(server):
    async def speak():
        async with AsyncTcpClient("127.0.0.1", server.wyoming) as client:
            texts = []
            for i in range(2):
                await client.write_event(Ping("are you there?").event())
                assert Pong.from_event(await client.read_event()).text == "are you there?"
                await client.write_event(Transcribe(name="english").event())
                await client.write_event(AudioStart(16000, 2, 1).event())
                await client.write_event(AudioChunk(16000, 2, 1, recordings.babble(2).tobytes()).event())
                await client.write_event(AudioStop().event())
                texts.append(transcript(await events_until_the_end(client)).text)
            return texts

    first, second = run(speak())
    assert first == second


def test_what_cannot_be_done_is_told_and_the_connection_ends(server):
    """Home Assistant passes over events that it does not know, and waits for a transcript or the end."""
    samples = recordings.babble(1).tobytes()
    good, wide, slow = (16000, 2, samples), (16000, 4, bytes(4000)), (8000, 2, samples)

    async def speak(chunks, **wanted):
        async with AsyncTcpClient("127.0.0.1", server.wyoming) as client:
            await client.write_event(Transcribe(**wanted).event())
            await client.write_event(AudioStart(*chunks[0][:2], 1).event())
            for rate, width, sound in chunks:
                await client.write_event(AudioChunk(rate, width, 1, sound).event())
            await client.write_event(AudioStop().event())
            events = []
            while event := await client.read_event():
                events.append(event)
            return events

    for chunks, wanted, code in (([good], {"name": "none-such"}, "model-not-found"), ([good], {"language": "klingon"}, "bad-request"),
                                 ([wide], {}, "bad-audio"), ([good, slow], {}, "bad-audio"), ([(16000, 2, b"")], {}, "bad-audio")):
        error = Error.from_event(run(speak(chunks, **wanted))[-1])
        assert error.code == code and error.text
    assert transcript(run(command(server.wyoming, samples, name="english"))) is not None


def test_bytes_that_are_no_events(server):
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"x" * 70000, b'{"type": "describe", "data_length": 99999999}\n',
                 b'{"type": "audio-chunk", "payload_length": -1}\n'):
        with socket.create_connection(("127.0.0.1", server.wyoming), served.PATIENCE) as s:
            s.sendall(data)
            answer = served.read_all(s)
        head, _, rest = answer.partition(b"\n")
        if answer:  # a client that sends more than is read may see a reset
            assert json.loads(head)["type"] == "error" and json.loads(rest)["code"] == "bad-request"


def test_clients_that_vanish_leave_nothing(server):
    samples = recordings.babble(20).tobytes()
    run(command(server.wyoming, samples[:64000], name="english"))
    before = server.threads(), server.files()

    def vanish(way):
        with socket.create_connection(("127.0.0.1", server.wyoming)) as s:
            s.sendall(b'{"type": "transcribe", "data": {"name": "english"}}\n{"type": "audio-start", "data": {"rate": 16000, '
                      b'"width": 2, "channels": 1}}\n{"type": "audio-chunk", "data": {"rate": 16000, "width": 2, "channels": 1}, '
                      b'"payload_length": %d}\n' % len(samples))
            s.sendall(samples[: len(samples) if way else 1000])
            if way:
                s.sendall(b'{"type": "audio-stop"}\n')
            if way == 2:
                assert s.recv(20)

    for i in range(30):
        vanish(i % 3)
    # a queue keeps a thread for each of its sixteen places that was ever taken
    server.wait_until(lambda: server.threads() <= before[0] + 16 and server.files() <= before[1])
    assert transcript(run(command(server.wyoming, samples[:32000], name="english"))) is not None


def test_a_client_that_vanishes_is_cancelled(server):
    samples = recordings.babble(20).tobytes() * 30
    before = server.metrics()['whisp_tasks_total{outcome="cancelled"}']
    with socket.create_connection(("127.0.0.1", server.wyoming)) as s:
        s.sendall(b'{"type": "audio-chunk", "data": {"rate": 16000, "width": 2, "channels": 1}, "payload_length": %d}\n'
                  b'%s{"type": "audio-stop"}\n' % (len(samples), samples))
        assert s.recv(20)  # it has begun
    server.wait_until(lambda: server.metrics()["whisp_tasks"] == 0)
    assert server.metrics()['whisp_tasks_total{outcome="cancelled"}'] == before + 1


def test_more_clients_than_places_wait(build, invented_dir):
    port = served.free_port()
    with served.Server(build, invented_dir, "--model", "english", "--wyoming_port", port, *served.ONCE) as server:
        async def many():
            return await asyncio.gather(*(command(port, recordings.babble(1, seed=i % 5).tobytes()) for i in range(70)))

        for events in run(many()):
            assert transcript(events) is not None
        server.wait_until(lambda: server.threads() < 40)


def test_a_recording_has_a_bound(build, invented_dir):
    port = served.free_port()
    with served.Server(build, invented_dir, "--model", "english", "--wyoming_port", port, "--max_body", "100K",
                       *served.ONCE) as server:
        events = run(command(port, bytes(120000)))
        assert Error.from_event(events[-1]).code == "too-long"
        assert transcript(run(command(port, recordings.babble(2).tobytes()))) is not None


def test_the_end_of_the_server_ends_clients(build, invented_dir):
    port = served.free_port()
    with served.Server(build, invented_dir, "--model", "english", "--wyoming_port", port, *served.ONCE) as server:
        with socket.create_connection(("127.0.0.1", port), served.PATIENCE) as s:
            s.sendall(b'{"type": "ping"}\n')
            assert s.recv(10)
            assert server.end() == 0
            served.read_all(s)


def test_it_is_off_unless_asked_for(build, invented_dir):
    with served.Server(build, invented_dir, "--model", "english", *served.ONCE) as server:
        assert "wyoming" not in server.log.lower()


def test_real_words(build, real_model, shared, tmp_path):
    model = real_model("tiny.en")
    port = served.free_port()
    raw = bytes(recordings_of(shared / "audio/night_8s_do_you_live_here.wav"))
    with served.Server(build, model.parent, "--model", "tiny.en", "--wyoming_port", port):
        said = transcript(run(command(port, raw))).text.lower()
    assert "do you live here" in said, said


def recordings_of(path):
    import wave
    with wave.open(str(path)) as f:
        assert (f.getframerate(), f.getsampwidth(), f.getnchannels()) == (16000, 2, 1)
        return f.readframes(f.getnframes())
