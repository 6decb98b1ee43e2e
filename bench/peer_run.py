#!/usr/bin/env python3
"""One transcription by one other program, in a process of its own: what bench/peers starts and times.

usage: peer_run.py PEER MODEL RECORDING THREADS     prints the text
       peer_run.py --describe                       prints each peer's call

The calls are pinned here: greedy, English, timestamps. Whatever is not named is the peer's default.
"""
import os
import sys

CALLS = {
    "faster-whisper-batched":
        "faster-whisper BatchedInferencePipeline, int8, batch_size=8, beam_size=1, language=en, without_timestamps=False; "
        "its VAD on and no fallback to higher temperatures (the batched mode's defaults)",
    "faster-whisper":
        "faster-whisper WhisperModel.transcribe, int8, beam_size=1, language=en, timestamps; VAD off and fallback on "
        "(its defaults)",
    "openai-whisper":
        "openai-whisper transcribe, float32, greedy, language=en, timestamps; no VAD, fallback on (its defaults); "
        "the recording is decoded by its ffmpeg call",
    "whisper.cpp":
        "pywhispercpp Model.transcribe, f16 weights, greedy (best_of=1), language=en, timestamps; VAD off and fallback on "
        "(its defaults); the recording is decoded by PyAV, since it reads WAV only",
    "openvino":
        "openvino_genai WhisperPipeline.generate on the exported model as it is, greedy, language=en, return_timestamps; "
        "no VAD, no fallback (it has none); the recording is decoded by PyAV",
}


def faster_whisper(model, recording, threads, batched):
    from faster_whisper import BatchedInferencePipeline, WhisperModel
    whisper = WhisperModel(model, device="cpu", compute_type="int8", cpu_threads=threads)
    if batched:
        segments, _ = BatchedInferencePipeline(whisper).transcribe(recording, batch_size=8, beam_size=1, language="en",
                                                                   without_timestamps=False)
    else:
        segments, _ = whisper.transcribe(recording, beam_size=1, language="en")
    return [s.text for s in segments]


def openai_whisper(model, recording, threads):
    import torch
    import whisper
    torch.set_num_threads(threads)
    result = whisper.load_model(model, device="cpu").transcribe(recording, language="en", fp16=False)
    return [s["text"] for s in result["segments"]]


def whisper_cpp(model, recording, threads):
    from faster_whisper import decode_audio
    from pywhispercpp.model import Model
    whisper = Model(model, redirect_whispercpp_logs_to=None, n_threads=threads, language="en", greedy={"best_of": 1},
                    print_progress=False)
    return [s.text for s in whisper.transcribe(decode_audio(recording))]


def openvino(model, recording, threads):
    import openvino_genai
    from faster_whisper import decode_audio
    pipeline = openvino_genai.WhisperPipeline(model, "CPU", INFERENCE_NUM_THREADS=threads)
    result = pipeline.generate(decode_audio(recording).tolist(), language="<|en|>", task="transcribe",
                               return_timestamps=True)
    return [chunk.text for chunk in result.chunks]


def main():
    if sys.argv[1:] == ["--describe"]:
        for name, call in CALLS.items():
            print("%s: %s" % (name, call))
        return 0
    if len(sys.argv) != 5 or sys.argv[1] not in CALLS:
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 2
    peer, model, recording, threads = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ["HF_HUB_OFFLINE"] = "1"  # nothing is fetched while the clock runs
    if peer.startswith("faster-whisper"):
        text = faster_whisper(model, recording, threads, peer.endswith("batched"))
    else:
        text = {"openai-whisper": openai_whisper, "whisper.cpp": whisper_cpp, "openvino": openvino}[peer](
            model, recording, threads)
    print("\n".join(line.strip() for line in text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
