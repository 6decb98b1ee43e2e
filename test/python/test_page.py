"""The page of whisp-server in a real browser: files, the microphone, downloads, keyboard, and what a screen reader is told.
Part of `make test-long`, which installs the browser; `WHISP_BROWSER=1` runs it elsewhere."""
import json
import os
import re
import subprocess
import time
import wave

import pytest

import browser
import recordings
import served

pytestmark = [
    pytest.mark.skipif(not os.environ.get("WHISP_BROWSER"), reason="the page in a browser: make test-long"),
    pytest.mark.skipif(browser.missing() is not None, reason="no %s here: make deps-long" % browser.missing()),
]
LIVE = ["--stream_step", "1"]


@pytest.fixture(scope="module")
def server(build, invented_dir):
    with served.Server(build, invented_dir, "--model", "english", "--model", "multilingual", *served.ONCE, *LIVE) as s:
        yield s


@pytest.fixture(scope="module")
def microphone(tmp_path_factory):
    """What the browser takes for the microphone: a file, over and over."""
    return recordings.write_wav(tmp_path_factory.mktemp("mic") / "voice.wav", recordings.babble(6))


@pytest.fixture(scope="module")
def chromium(tmp_path_factory, microphone):
    folder = tmp_path_factory.mktemp("browser")
    with browser.Browser(folder, "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
                         "--use-file-for-fake-audio-capture=%s" % microphone, "--autoplay-policy=no-user-gesture-required",
                         "--host-resolver-rules=MAP far.test 127.0.0.1") as b:
        b.folder = folder
        yield b


@pytest.fixture
def page(chromium, server):
    chromium.open(server.url + "/")
    chromium.wait(lambda: chromium.run("return document.querySelectorAll('#model option').length"), "the list of models")
    chromium.complaints()
    yield chromium
    assert [c for c in chromium.complaints() if "net::ERR" not in c and "Failed to load resource" not in c] == []


@pytest.fixture(scope="module")
def command_says(build, invented_dir, noise_wav, tmp_path_factory):
    folder = tmp_path_factory.mktemp("said")
    subprocess.run([str(build / "whisp"), "--model", "english", "--model_dir", str(invented_dir), "-f", "all", "-o", str(folder),
                    *served.ONCE, str(noise_wav)], check=True, capture_output=True, timeout=served.PATIENCE)
    return lambda form: (folder / ("noise." + form)).read_bytes()


def is_done(page):
    return page.text("#status").startswith("Done")


def lines(page):
    return page.run("return [...document.querySelectorAll('#segments li span:last-child')].map(e => e.textContent)")


def test_nothing_comes_from_elsewhere(server, page):
    answer = server.ask("GET", "/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", answer.text)
    assert page.run("return performance.getEntriesByType('resource').map(e => e.name)") == [server.url + "/v1/models"]
    assert page.run("return document.title").startswith("whisp") and page.run("return document.documentElement.lang") == "en"
    assert page.run("return [...document.querySelectorAll('#model option')].map(o => o.value)")[:2] == ["english", "multilingual"]
    assert page.run("return document.querySelectorAll('#language option').length") == 101


def test_a_file_becomes_text_with_the_keyboard_alone(page, noise_wav, command_says):
    page.keys("#file", str(noise_wav))  # what the system's dialogue does
    page.run("document.getElementById('file').focus()")
    order = []
    while not order or order[-1] != "start":
        page.press(browser.TAB)
        order.append(page.focused())
        assert len(order) < 20, order
    assert order == ["speak", "model", "language", "translate", "words", "speakers", "start"]
    page.press(browser.ENTER)
    page.wait(lambda: is_done(page))
    said = [line.split("\t")[2] for line in command_says("tsv").decode().splitlines()[1:]]
    assert lines(page) == said and said
    assert page.run("return document.getElementById('progress').hidden") and page.text("#problem") == ""


def test_every_format_is_saved_as_the_command_writes_it(page, noise_wav, command_says):
    page.keys("#file", str(noise_wav))
    page.click("#start")
    page.wait(lambda: is_done(page))
    for form in ("txt", "srt", "vtt", "tsv", "json"):
        path = page.folder / ("noise." + form)
        path.unlink(missing_ok=True)
        page.click("[data-format=%s]" % form)
        page.wait(path.exists, path.name)
        page.wait(lambda: page.text("#status") == "Saved as noise.%s." % form)
        page.wait(lambda: path.stat().st_size > 0)
        if form != "json":
            assert path.read_bytes() == command_says(form), form
    saved, told = json.loads(path.read_text()), json.loads(command_says("json"))
    assert saved["text"] == told["text"] and saved["language"] == told["language"]
    assert [(s["start"], s["end"], s["text"]) for s in saved["segments"]] == \
        [(pytest.approx(s["start"], abs=0.001), pytest.approx(s["end"], abs=0.001), s["text"]) for s in told["segments"]]


def test_words_have_times_where_they_are_asked_for(page, noise_wav):
    page.keys("#file", str(noise_wav))
    page.click("#words")
    page.click("#start")
    page.wait(lambda: is_done(page))
    kept = page.run("return transcript.segments")
    assert kept and all("".join(w["word"] for w in s["words"]) == s["text"].rstrip() for s in kept)
    assert all(w["start"] <= w["end"] for s in kept for w in s["words"]) and kept[0]["words"]


def test_a_file_is_dropped(page, noise_wav, command_says):
    page.run("""const data = new DataTransfer(), bytes = Uint8Array.from(atob(arguments[0]), c => c.charCodeAt(0));
        data.items.add(new File([bytes], "noise.wav"));
        const at = type => document.getElementById("drop").dispatchEvent(new DragEvent(type, {dataTransfer: data, cancelable: true}));
        at("dragover"); at("drop");""", __import__("base64").b64encode(noise_wav.read_bytes()).decode())
    assert page.text("#status") == "Chosen: noise.wav."
    page.click("#start")
    page.wait(lambda: is_done(page))
    assert "".join(lines(page)).replace(" ", "") == command_says("txt").decode().replace("\n", "").replace(" ", "")


def test_what_a_screen_reader_is_told(page):
    assert page.role("#file") == ("button", "Choose a recording, or drop one here") or \
        page.role("#file")[1].startswith("Choose a recording")
    assert page.role("#speak") == ("button", "Speak")
    assert page.role("#model")[1].startswith("Model") and page.role("#language")[1].startswith("Language")
    assert page.role("#translate") == ("checkbox", "into English")
    assert page.role("#segments") == ("log", "Transcript") and page.role("#status")[0] == "status"
    assert page.role("#problem")[0] == "alert" and page.role("main")[0] == "main" and page.role("h1")[0] == "heading"
    assert page.run("return document.getElementById('tail').getAttribute('aria-hidden')") == "true"


def test_what_goes_wrong_is_said_and_the_next_goes(page, noise_wav, tmp_path):
    bad = tmp_path / "letter.wav"
    bad.write_bytes(b"This is no recording. " * 50)
    page.keys("#file", str(bad))
    page.click("#start")
    problem = page.wait(lambda: page.text("#problem"))
    assert "record" in problem or "format" in problem
    assert not page.run("return document.getElementById('start').disabled")
    page.keys("#file", str(noise_wav))
    page.click("#start")
    page.wait(lambda: is_done(page))
    assert page.text("#problem") == ""


def test_the_microphone_is_heard_live(page, server):
    page.click("#speak")
    page.wait(lambda: page.text("#status") == "Speak.", "the server's readiness")
    time.sleep(3)  # of speech
    assert page.role("#speak") == ("button", "Stop")
    assert page.run("return document.getElementById('speak').getAttribute('aria-pressed')") == "true"
    page.press(browser.ENTER)  # the button has the focus
    page.wait(lambda: is_done(page))
    said = lines(page)
    assert said and page.role("#speak") == ("button", "Speak") and page.text("#problem") == ""
    assert not page.run("return document.getElementById('save').hidden")
    path = page.folder / "speech.srt"
    path.unlink(missing_ok=True)
    page.click("[data-format=srt]")
    page.wait(lambda: path.exists() and path.stat().st_size)
    assert said[0].strip() in path.read_text()


def test_cancel_ends_it(build, invented_dir, chromium, tmp_path):
    sound = recordings.write_wav(tmp_path / "long.wav", recordings.babble(30) * 20)
    with served.Server(build, invented_dir, "--model", "english", *served.ONCE) as server:
        chromium.open(server.url + "/")
        chromium.wait(lambda: chromium.run("return document.querySelectorAll('#model option').length"))
        chromium.keys("#file", str(sound))
        chromium.click("#start")
        chromium.wait(lambda: not chromium.run("return document.getElementById('cancel').hidden"))
        chromium.run("document.getElementById('cancel').click()")
        chromium.wait(lambda: chromium.text("#problem") == "Cancelled." or is_done(chromium))
        assert not chromium.run("return document.getElementById('start').disabled")
        server.wait_until(lambda: all(n == 0 for name, n in server.metrics().items() if name.endswith("tasks")))


def test_elsewhere_there_is_no_microphone_and_that_is_said(chromium, server):
    chromium.open("http://far.test:%d/" % server.port)
    chromium.wait(lambda: chromium.run("return document.querySelectorAll('#model option').length"))
    assert chromium.run("return document.getElementById('speak').disabled")
    assert "localhost" in chromium.text("#microphone") and "TLS" in chromium.text("#microphone")
    chromium.complaints()


def test_a_key_is_asked_for(build, invented_dir, chromium, noise_wav):
    with served.Server(build, invented_dir, "--model", "english", "--api_key", "sesame", *served.ONCE, *LIVE) as server:
        chromium.open(server.url + "/")
        chromium.wait(lambda: "key" in chromium.text("#problem").lower())
        assert chromium.role("#key")[1].startswith("Key")
        chromium.keys("#key", "sesame" + browser.TAB)
        chromium.wait(lambda: chromium.run("return document.querySelectorAll('#model option').length"))
        assert chromium.text("#problem") == ""
        chromium.keys("#file", str(noise_wav))
        chromium.click("#start")
        chromium.wait(lambda: is_done(chromium))
        chromium.click("#speak")
        chromium.wait(lambda: chromium.text("#status") == "Speak.")
        time.sleep(3)  # of speech
        chromium.click("#speak")
        chromium.wait(lambda: is_done(chromium))


def test_real_words(build, real_model, shared, tmp_path_factory):
    """Spoken into a microphone, and from a file."""
    model, folder = real_model("tiny.en"), tmp_path_factory.mktemp("real")
    spoken = folder / "spoken.wav"
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(shared / "audio/jfk.flac"), "-ar", "48000", str(spoken)], check=True)
    with wave.open(str(spoken)) as f:
        assert f.getframerate() == 48000
    with served.Server(build, model.parent, "--model", "tiny.en") as server, browser.Browser(
            folder, "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
            "--use-file-for-fake-audio-capture=%s%%noloop" % spoken, "--autoplay-policy=no-user-gesture-required") as b:
        b.open(server.url + "/")
        b.wait(lambda: b.run("return document.querySelectorAll('#model option').length"))
        b.click("#speak")
        b.wait(lambda: "country" in (b.text("#settled") + " ".join(lines(b))).lower(), "what was said")
        b.click("#speak")
        b.wait(lambda: is_done(b))
        assert "country" in " ".join(lines(b)).lower()
        b.keys("#file", str(shared / "audio/jfk.flac"))
        b.click("#start")
        b.wait(lambda: is_done(b))
        assert "ask what you can do for your country" in " ".join(lines(b))
        assert b.run("return duration") > 10.9
