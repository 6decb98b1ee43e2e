"""The review page in a real browser: the walk, all that is alike, playing, editing with the way back, speakers, what is kept
through a crash, and what comes out. Part of `make test-long`, which installs the browser; `WHISP_BROWSER=1` runs it
elsewhere. What needs no browser is in test_review_file.py."""
import json
import os
import random
import re
import subprocess
import urllib.parse

import pytest

import browser
import recordings
import reviewed
from browser import BACKSPACE, CONTROL, DOWN, ENTER, ESCAPE, F2, SPACE, TAB

pytestmark = [
    pytest.mark.skipif(not os.environ.get("WHISP_BROWSER"), reason="the review page in a browser: make test-long"),
    pytest.mark.skipif(browser.missing() is not None, reason="no %s here: make deps-long" % browser.missing()),
]
SOUND = "--autoplay-policy=no-user-gesture-required"


def written(build, transcript, *options):
    """The page of a transcript, beside it."""
    subprocess.run([str(build / "whisp"), "--from", str(transcript), "-f", "html", "-o", str(transcript.parent), *options], check=True, capture_output=True)
    return transcript.with_suffix(".html")


def opened(b, page, fresh=True):
    url = "file://" + urllib.parse.quote(str(page))
    b.open(url)
    if fresh:  # what another test left
        ready(b)
        b.run("localStorage.clear(); indexedDB.deleteDatabase('whisp-review')")
        b.open(url)
    ready(b)
    b.complaints()
    return b


def ready(b):
    b.wait(lambda: b.run("return typeof app === 'object' && Boolean(app.isReady)"), "the page")


def rows(b):
    return b.run("return app.t.rows.map(row => row.text)")


def kept(b):
    b.wait(lambda: b.run("return app.keeper.isDone() && !app.keeper.failed"), "what was typed is kept")


def saved(b, form, name):
    path = b.folder / name
    path.unlink(missing_ok=True)
    b.click("[data-format=%s]" % form)
    b.wait(lambda: path.exists() and path.stat().st_size, name)
    return path


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    with browser.Browser(folder, SOUND, "--window-size=1280,900") as b:
        b.folder = folder
        yield b


@pytest.fixture(scope="module")
def talk(build, tmp_path_factory):
    return written(build, reviewed.write(tmp_path_factory.mktemp("talk")))


@pytest.fixture
def page(chromium, talk):
    yield opened(chromium, talk)
    assert chromium.complaints() == []


def test_it_opens_and_asks_for_nothing_but_the_recording(page):
    assert [r.split("/")[-1] for r in page.run("return performance.getEntriesByType('resource').map(e => e.name)")] in ([], ["talk.wav"])
    page.wait(lambda: page.run("return app.player.isReady"), "the recording")
    assert page.run("return app.player.audio.duration") == pytest.approx(reviewed.SECONDS)
    assert page.text("h1") == "talk" and page.text("#problem") == ""
    assert rows(page) == ["".join(w["word"] for w in s["words"]) for s in reviewed.transcript()["segments"]]
    assert page.run("""const s = document.createElement("script"); s.textContent = "window.ran = 1"; document.head.append(s);
        return window.ran""") is None  # its policy forbids what is not its own
    assert len(page.complaints()) == 1


def test_the_walk(page):
    page.wait(lambda: page.run("return app.player.isReady"))
    places = page.run("return app.walk.places.map(p => [p.first, p.last])")
    assert len(places) == 3  # Share Jet, Share Jet, Naomi?
    page.run("document.body.focus()")
    page.press("n")
    assert page.focused() == "place" and "left" in page.text("#walk-count")
    place = page.run("return app.walk.order[app.walk.at]")
    assert page.run("return app.player.until") == pytest.approx(place["end"] + 0.9)
    page.wait(lambda: not page.run("return app.player.isPlaying"), "the end of the place")
    assert place["end"] + 0.8 < page.run("return app.player.time") < place["end"] + 1.5
    first = page.text("#place-text")
    page.press("n")
    assert page.text("#place-text") != first
    page.press("p")
    assert page.text("#place-text") == first
    while "Naomi" not in page.text("#place-text mark"):
        page.press("n")
    assert page.run("return [...document.querySelectorAll('#offers li')].map(e => e.textContent)")[:2] == ["Noemi?", "know me?"]
    page.press(DOWN)
    page.press(ENTER)
    assert rows(page)[5] == " And what is next, Noemi?" and "2 left" in page.text("#walk-count")
    assert "Share" in page.text("#place-text mark")  # it has gone on
    page.press(ENTER)  # that one is right
    assert "1 left" in page.text("#walk-count")
    words = page.run("return app.t.rows.flatMap(r => r.words).filter(w => w.heard).map(w => w.text)")
    assert words == [" Share", " Jet"]
    page.chord(CONTROL, "z")
    assert "2 left" in page.text("#walk-count") and not page.run("return app.t.rows.flatMap(r => r.words).some(w => w.heard)")


def test_typing_replaces_and_all_alike_follow(page):
    page.run("document.body.focus()")
    page.press("n")
    while "Share" not in page.text("#place-text mark"):
        page.press("n")
    page.press("ShareChat")
    assert page.focused() == "say" and page.run("return document.getElementById('say').value") == "ShareChat"
    times = page.run("return app.t.rows[app.walk.current().i].words.filter(w => w.corrected).map(w => [w.text, w.start, w.end])")
    place = page.run("const p = app.walk.order[app.walk.at]; return [app.t.baseWords[p.first].start, app.t.baseWords[p.last].end]")
    assert times == [[" ShareChat", *place]]
    page.press(ENTER)
    page.wait(lambda: not page.run("return document.getElementById('alike').hidden"), "what is alike")
    offered = page.run("return [...document.querySelectorAll('#alike-list li')].map(e => [e.querySelector('input').checked, e.textContent])")
    assert offered[0][0] and "2 places" in offered[0][1]  # Share Jet, share jet
    assert any(not checked and text.startswith("Sharejet") for checked, text in offered[1:])
    assert not any("ShareChat of" in text.split("…")[0] for _, text in offered)
    page.run("document.querySelectorAll('#alike-list input').forEach(e => { if (e.parentNode.textContent.startsWith('Sharejet')) e.click(); })")
    assert page.text("#alike-change") == "Change 3 places"
    page.press(ENTER)  # the button has the focus, or gets it
    if not page.run("return document.getElementById('alike').hidden"):
        page.run("document.getElementById('alike-change').click()")
    said = rows(page)
    assert [text.count("ShareChat") for text in said] == [1, 1, 1, 1, 1, 0, 0, 0] and "jet" not in " ".join(said).lower()
    assert said[2] == " Thank you. ShareChat is older than people think."
    assert "1 left" in page.text("#walk-count")  # the other Share Jet is done, too
    page.chord(CONTROL, "z")
    assert sum(text.count("ShareChat") for text in rows(page)) == 2


def test_sound_and_the_word_that_is_said(page):
    page.wait(lambda: page.run("return app.player.isReady"))
    page.click(".row:nth-child(2) .said span:nth-child(3)")  # "met" ... whatever the row is
    row, word = page.run("return [app.view.pointed.id, app.view.pointed.word]")
    start = page.run("return app.t.rows[app.t.indexOf(arguments[0])].words[arguments[1]].start", row, word)
    page.wait(lambda: page.run("return app.player.isPlaying"))
    assert start <= page.run("return app.player.time") < start + 3
    page.wait(lambda: page.run("return document.querySelectorAll('.said .now').length") == 1)
    page.press(SPACE)
    page.wait(lambda: not page.run("return app.player.isPlaying"))
    page.run("app.player.seek(arguments[0] + 0.01)", start)
    now = page.run("const e = document.querySelector('.said .now'); return [e.closest('.row').dataset.id, [...e.parentNode.children].indexOf(e)]")
    assert now == [row, word]
    page.run("const s = document.getElementById('speed'); s.value = '3'; s.dispatchEvent(new Event('change'))")
    assert page.run("return app.player.audio.playbackRate") == 3
    assert page.run("return [...document.getElementById('speed').options].map(o => o.value)")[0] == "0.5"
    before = page.run("return app.player.time")
    page.run("document.activeElement.blur()")
    page.press(browser.RIGHT)
    assert page.run("return app.player.time") == pytest.approx(before + 5, abs=0.1)


def test_editing_splitting_joining_and_all_the_way_back(page):
    before = rows(page), page.run("return app.t.rows.map(r => r.words.map(w => [w.text, w.start, w.end]))")
    page.run("app.view.select('1', true)")
    page.press(ENTER)
    page.press(" Yes.")
    page.press(ESCAPE)
    assert rows(page)[1] == " We met them in Bangalore, where Share Jet began. Yes."
    words = page.run("return app.t.rows[1].words")
    assert words[:8] == [{**w} for w in words[:8]] and [w["base"] for w in words[:9]] == list(range(10, 19)) and words[9]["corrected"]
    page.press(F2)
    page.run("document.activeElement.setSelectionRange(25, 25)")
    page.chord(CONTROL, ENTER)
    assert rows(page)[1:3] == [" We met them in Bangalore,", " where Share Jet began. Yes."]
    assert page.run("return app.t.rows[1].end <= app.t.rows[2].start + 1e-9")
    page.press(F2)
    page.run("document.activeElement.setSelectionRange(0, 0)")
    page.press(BACKSPACE)
    assert rows(page)[1] == " We met them in Bangalore, where Share Jet began. Yes." and len(rows(page)) == 8
    page.press(ESCAPE)
    page.run("app.view.select('6', true); app.view.join(false)")
    assert rows(page)[6] == " We shall see what is next. Thanks for listening." and len(rows(page)) == 7
    while page.run("return app.t.done.length"):
        page.chord(CONTROL, "z")
    assert (rows(page), page.run("return app.t.rows.map(r => r.words.map(w => [w.text, w.start, w.end]))")) == before
    while page.run("return app.t.undone.length"):
        page.chord(CONTROL, "y")
    assert len(rows(page)) == 7
    kept(page)


def test_find_and_replace(page):
    page.chord(CONTROL, "f")
    page.press("is")
    text = "\n".join(rows(page)).lower()
    assert page.text("#find-count") == "%d places" % text.count("is")
    page.run("document.getElementById('find-whole').click()")
    n = int(page.text("#find-count").split()[0])
    assert n == len(re.findall(r"\bis\b", text)) > 3
    page.press(ENTER) if page.focused() == "find-what" else page.run("app.find.go(1)")
    assert page.text("#find-count") == "1 of %d" % n and page.run("return document.querySelectorAll('.said .found').length") == 1
    page.run("document.getElementById('find-by').value = 'was'")
    page.click("#find-replace")
    assert " ".join(rows(page)).count(" was") == 1 and page.text("#find-count") == "1 of %d" % (n - 1)
    page.click("#find-all")
    assert "Replaced %d" % (n - 1) in page.text("#status") and " is " not in " ".join(rows(page)).lower().replace("is the", "")
    page.run("document.activeElement.blur()")
    page.chord(CONTROL, "z")
    page.chord(CONTROL, "z")
    assert rows(page) == ["".join(w["word"] for w in s["words"]) for s in reviewed.transcript()["segments"]]


def test_speakers(page):
    page.keys("#speaker-list input", BACKSPACE * 3 + "Dr Ann")
    assert page.run("return app.t.head.speakers") == ["Dr Ann", "Bob"]
    assert page.run("return [...document.querySelectorAll('.row .who')].map(e => e.textContent)").count("Dr Ann") == 5
    page.run("app.askWho(0)")
    assert page.role("#who-dialog") [0] == "dialog" and "2 segments" in page.text("#who-turn")
    page.run("document.getElementById('who-name').value = 'Carol'")
    page.click("#who-dialog [value=set]")
    page.wait(lambda: page.run("return app.t.rows.slice(0, 4).map(r => app.t.head.speakers[r.speaker])") == ["Carol", "Carol", "Bob", "Dr Ann"])
    page.run("app.askWho(2)")
    page.run("document.querySelector('#who-dialog [value=segment]').click(); document.getElementById('who-name').value = 'Dr Ann'")
    page.click("#who-dialog [value=set]")
    page.wait(lambda: page.run("return app.t.head.speakers[app.t.rows[2].speaker]") == "Dr Ann")
    made = json.loads(saved(page, "json", "talk.corrected.json").read_text())
    assert made["speakers"] == ["Dr Ann", "Bob", "Carol"]
    assert [t["speaker"] for t in made["turns"]] == ["Carol", "Carol", "Dr Ann", "Dr Ann", "Bob", "Dr Ann", "Bob", "Dr Ann"]


def test_what_comes_out_reads_back(page, build, tmp_path):
    page.run("""app.view.select('0', true); app.view.edit(); const f = app.view.field(); f.value = "A <b>new</b> text --> here &"; f.dispatchEvent(new Event("input"));
        app.view.leave(); app.t.split(3, 3); app.t.setNote(2, "who?", "n"); app.t.renameSpeaker(1, "Bob <B> & [Co]"); app.t.setText(5, "", "g");""")
    made = saved(page, "json", "talk.corrected.json")
    document = json.loads(made.read_text())
    assert document["segments"][0]["corrected"] and document["segments"][0]["tokens"] == [] and document["segments"][1]["tokens"] == [1, 2, 3]
    assert [s["id"] for s in document["segments"]] == list(range(9)) and document["segments"][2]["note"] == "who?"
    copy = tmp_path / "talk.json"
    copy.write_bytes(made.read_bytes())
    forms = "txt,srt,vtt,tsv,json,lrc,ass,csv,md,html,rttm"
    subprocess.run([str(build / "whisp"), "--from", str(copy), "-f", forms, "-o", str(tmp_path / "out")], check=True, capture_output=True)
    for form in forms.split(","):
        text = (tmp_path / "out" / ("talk." + form)).read_text()
        assert ("new" in text and "Share Jet began" in text) or form == "rttm", form
        assert "Welcome" not in text and "another thing" not in text, form
    for form in ("txt", "srt", "vtt"):
        assert saved(page, form, "talk." + form).read_bytes() == (tmp_path / "out" / ("talk." + form)).read_bytes(), form
    again = json.loads((tmp_path / "out/talk.json").read_text())
    assert [s["text"] for s in again["segments"]] == rows(page) and again["text"] == "".join(rows(page))
    assert again["segments"][2]["note"] == "who?" and again["segments"][0]["corrected"] and again["segments"][0]["words"][1]["corrected"]
    text = saved(page, "doc", "talk.document.html").read_text()
    assert "A &lt;b&gt;new&lt;/b&gt; text --&gt; here &amp;" in text and "<b>Bob &lt;B&gt; &amp; [Co]</b>" in text and "<script" not in text


def test_a_file_is_of_one_moment_and_made_in_pieces(chromium, build, tmp_path):
    """However long a segment is; what is typed while it is being made is not in it."""
    made = reviewed.transcript([("Ann", " ".join("w%d" % i for i in range(5000))), ("Bob", "The end.")])
    made["segments"][0]["words"][7]["speaker"] = "Bob"
    b = opened(chromium, written(build, reviewed.write(tmp_path, "long", made=made)))
    for form in ("asJson", "asText", "asSrt", "asVtt"):
        pieces = b.run("return [...%s(app.t)].map(piece => piece.length)" % form)
        assert len(pieces) >= (2 if form == "asText" else 25) and sorted(pieces)[-2] < 40000, form  # the longest is all the text
    path = b.folder / "long.corrected.json"
    path.unlink(missing_ok=True)
    b.run("saveAs('json'); app.t.setText(1, ' Too late.', 'x'); app.t.renameSpeaker(1, 'Eve')")
    b.wait(lambda: path.exists() and path.stat().st_size)
    document = json.loads(path.read_text())
    assert document["segments"][1]["text"] == " The end." and document["speakers"] == ["Ann", "Bob"]
    expected = json.loads((tmp_path / "long.json").read_text())
    assert [w["word"] for s in document["segments"] for w in s["words"]] == [w["word"] for s in expected["segments"] for w in s["words"]]
    assert document["segments"][0]["words"][7]["speaker"] == "Bob" and document["turns"] == expected["turns"]


def test_turns_of_who_was_given_segments(page):
    """Against taking one after the other out of every turn."""
    wrong = page.run("""
        const {t} = app, draw = n => Math.floor(Math.random() * n), wrong = [];
        for (let round = 0; round < 30; round++) {
            for (let k = 0; k < 3; k++) { const i = draw(t.rows.length); t.setSpeaker(i, Math.min(t.rows.length, i + 1 + draw(2)), ["Ann", "Bob", "Eve", ""][draw(4)]); }
            if (round % 5 === 0) t.split(draw(t.rows.length), 2);
            let turns = t.document.turns.map(turn => ({start: turn.start, end: turn.end, speaker: t.numberOf(turn.speaker)}));
            for (const row of t.rows) {
                const old = t.baseRows[row.base].speaker;
                if (row.speaker === old) continue;
                turns = turns.flatMap(turn => turn.speaker !== old || turn.end <= row.start || turn.start >= row.end ? [turn] :
                    [{...turn, end: row.start}, {...turn, start: row.end}].filter(part => part.end > part.start));
                if (row.speaker >= 0) turns.push({start: row.start, end: row.end, speaker: row.speaker});
            }
            const order = (a, b) => a.start - b.start || a.end - b.end || (a.speaker < b.speaker ? -1 : 1);
            const slow = turns.map(turn => ({...turn, speaker: nameOf(t, turn.speaker)})).sort(order), quick = turnsOf(t).sort(order);
            if (JSON.stringify(slow) !== JSON.stringify(quick)) wrong.push([slow, quick]);
        }
        return wrong""")
    assert wrong == []


def test_the_search_for_what_is_alike_misses_nothing(chromium, build, tmp_path):
    """What tells by numbers that a run of words is not alike against looking at each; letters that change against a table."""
    draw = random.Random(5)
    near = ["share", "shire", "chair", "jet", "chat", "Jed", "knight", "night", "ai", "eye", "Ann's", "annie", "of", "東京", "東亰", "sharejet", "shared", "get", "keyboards", "kexboawds"]
    sentences = [("Ann", " ".join(draw.choice(near) for _ in range(12)) + ".") for _ in range(40)]
    b = opened(chromium, written(build, reviewed.write(tmp_path, "near", made=reviewed.transcript(sentences))))
    for wrong, right in (("share jet", "ShareChat"), ("knight", "night"), ("東亰", "東京"), ("Ann", "Annie"), ("ai chair", "Eyeshare"), ("of", "off"), ("keyboards", "key")):
        missed = b.ask("POST", "/execute/async", {"script": """const [wrong, right, done] = arguments, {t} = app, count = plain(wrong).split(" ").length;
            findAlike(t, wrong, right).then(found => {
                const {judge} = judgeOf(wrong, right), missed = [], models = [likenessOf(wrong), ...(right.length < 4 && !UNSPACED.test(right) ? [] : [likenessOf(right)])];
                t.rows.forEach((row, i) => { let at = 0; row.words.forEach((word, k) => {
                    for (let n = Math.max(1, count - 1); n <= count + 1 && k + n <= row.words.length; n++) {
                        const text = textOf(row.words.slice(k, k + n)), [start, stop] = coreOf(text), like = likenessOf(text.slice(start, stop));
                        if (like.letters.length < 4 && !UNSPACED.test(like.letters) && like.letters !== models[0].letters) continue;
                        if (judge(text.slice(start, stop), Math.min(...models.map(model => unlikeness(likenessOf(like.text), model)))) >= 1) continue;
                        if (!found.some(one => one.row === i && one.from < at + stop && one.to > at + start)) missed.push(text);
                    }
                    at += word.text.length;
                }); });
                done([found.length, missed]);
            });""", "args": [wrong, right]})
        assert missed[0] > 3 and missed[1] == [], (wrong, right)
    assert b.run("""
        const table = (a, b) => { let row = [...Array(b.length + 1).keys()];
            for (let i = 1; i <= a.length; i++) { const next = [i];
                for (let j = 1; j <= b.length; j++) next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
                row = next; }
            return row[b.length]; };
        const draw = n => Math.floor(Math.random() * n), word = n => Array.from({length: draw(n)}, () => "abc"[draw(3)]).join("");
        for (let k = 0; k < 5000; k++) { const a = word(12), b = word(12);
            for (let most = 0; most < 5; most++) if (editDistance(a, b, most) !== Math.min(table(a, b), most + 1)) return [a, b, most]; }""") is None


def test_notes_and_names(page):
    page.keys("#note", "Recorded in May")
    page.keys("#terms", "Nayomi")
    page.run("document.body.focus(); document.activeElement.blur()")
    page.press("n")
    while "Naomi" not in page.text("#place-text mark"):
        page.press("n")
    assert "Nayomi?" in page.run("return [...document.querySelectorAll('#offers li')].map(e => e.textContent)")
    kept(page)
    page.open(page.run("return location.href"))
    ready(page)
    assert page.run("return [document.getElementById('note').value, document.getElementById('terms').value]") == ["Recorded in May", "Nayomi"]


def test_a_corrected_transcript_is_corrected_further(page, build, tmp_path):
    """By another person, on another machine: notes, what was heard and what was learned go with it."""
    page.run("""app.t.setNote(1, "where?", "n"); app.t.changeHead("a note", {note: "of May"});
        app.t.replaceAll("x", [{row: 0, from: 27, to: 36, text: "ShareChat"}], {corrections: app.t.corrected("Share Jet", "ShareChat", 2)})""")
    page.press("n")
    page.press(ENTER)
    made = tmp_path / "talk.corrected.json"
    made.write_bytes(saved(page, "json", "talk.corrected.json").read_bytes())
    opened(page, written(build, made))
    assert page.run("return [app.t.rows[1].note, app.t.head.note, app.t.head.corrections]") == [
        "where?", "of May", [{"from": "Share Jet", "to": "ShareChat", "count": 2}]]
    page.run("app.t.setText(7, ' The end.', 'x')")
    again = json.loads(saved(page, "json", "talk.corrected.json").read_text())
    assert again["corrections"][0]["count"] == 2 and again["note"] == "of May" and again["segments"][1]["note"] == "where?"
    assert [w["word"] for s in again["segments"] for w in s["words"] if w.get("heard")] != []
    assert again["segments"][0]["corrected"] and again["segments"][7]["corrected"]


def test_a_killed_browser_loses_nothing(talk, tmp_path):
    for text in (" Kept", " in the middle of a wo"):
        with browser.Browser(tmp_path, SOUND) as b:
            b.open("file://%s" % talk)
            ready(b)
            b.run("app.view.select('7', true)")
            b.press(ENTER)
            b.press(text)
            kept(b)
            b.kill()
    with browser.Browser(tmp_path, SOUND) as b:
        b.open("file://%s" % talk)
        ready(b)
        assert rows(b)[7] == " Thanks for listening. Kept in the middle of a wo"
        assert "is here again" in b.text("#status") or "Other edits" in b.text("#status")
        b.run("app.t.split(7, 2); app.t.join(0)")
        kept(b)
        b.open("file://%s" % talk)
        ready(b)
        assert len(rows(b)) == 8 and rows(b)[6:] == [" Thanks for", " listening. Kept in the middle of a wo"]


@pytest.mark.parametrize("how, what", [
    ("window.put = IDBObjectStore.prototype.put; IDBObjectStore.prototype.put = function () { throw new DOMException('no room', 'QuotaExceededError'); }", "the browser's store is full"),
    ("delete window.indexedDB; Object.defineProperty(window, 'indexedDB', {value: undefined});"
     "Object.defineProperty(window, 'localStorage', {get() { throw new Error('no'); }})", "NOT kept"),
])
def test_what_cannot_be_kept_is_told(talk, tmp_path, how, what):
    with browser.Browser(tmp_path, SOUND) as b:
        b.before_pages(how)
        b.open("file://%s" % talk)
        ready(b)
        b.run("app.t.setText(7, ' Another end.', 'x')")
        b.wait(lambda: what in b.text("#problem"), "that it is told")
        assert b.role("#problem")[0] == "alert" and not b.run("return app.keeper.isDone()")
        if "room" not in how:
            return
        b.run("IDBObjectStore.prototype.put = window.put")
        b.run("app.t.setText(7, ' Another end again.', 'x')")
        kept(b)
        assert b.text("#problem") == ""


def test_without_a_database_there_is_another_store(talk, tmp_path):
    with browser.Browser(tmp_path, SOUND) as b:
        b.before_pages("delete window.indexedDB; Object.defineProperty(window, 'indexedDB', {value: undefined})")
        for text in ("One", "Two"):
            b.open("file://%s" % talk)
            ready(b)
            b.run("app.t.setText(%d, ' %s', 'x')" % (len(text), text))
            kept(b)
        b.run("app.t.split(0, 2)")
        kept(b)
        b.open("file://%s" % talk)
        ready(b)
        assert rows(b)[4] == " Two" and len(rows(b)) == 9


def test_without_a_database_text_alone_is_kept(talk, tmp_path):
    with browser.Browser(tmp_path, SOUND) as b:
        b.before_pages("delete window.indexedDB; Object.defineProperty(window, 'indexedDB', {value: undefined})")
        for text in ("One", "Four."):
            b.open("file://%s" % talk)
            ready(b)
            b.run("app.t.setText(%d, ' %s', 'x')" % (len(text), text))
            kept(b)
        b.open("file://%s" % talk)
        ready(b)
        assert (rows(b)[3], rows(b)[5]) == (" One", " Four.") and "is here again" in b.text("#status")


def test_a_transcript_is_kept_whole_or_not_at_all(page, talk):
    """In three pieces, of which one is broken off when the transaction ends, as where a disk is full."""
    base = "return app.keeper.store.base(app.keeper.key)"
    has = "return app.keeper.store.load(app.keeper.key).then(kept => kept.hasBase)"
    wide = "app.keeper.about.text = () => ' '.repeat(2 << 19) + at('transcript').textContent;"
    done = "return app.keeper.isDone() && app.keeper.baseLeft === 0"
    change = """const piece = arguments[0];
        return new Promise((done, failed) => {
            const t = app.keeper.store.database.transaction('bases', 'readwrite');
            t.oncomplete = () => done();
            t.onabort = () => failed(t.error);
            if (piece === null) t.objectStore('bases').delete([app.keeper.key, 1]);
            else t.objectStore('bases').put(piece, [app.keeper.key, 0]);
        })"""
    page.run(wide + """const put = IDBObjectStore.prototype.put;
        IDBObjectStore.prototype.put = function (value, key) {
            const made = put.call(this, value, key);
            if (this.name === 'bases' && key[1] === 2) made.addEventListener('success', () => this.transaction.abort());
            return made;
        };
        app.t.setText(7, ' The end.', 'x')""")
    page.wait(lambda: page.run(done), "the transcript")
    assert page.run(base) == "" and not page.run(has) and page.text("#problem") == ""
    opened(page, talk, fresh=False)
    assert rows(page)[7] == " The end."
    page.run(wide + "app.t.setText(6, ' Another.', 'x')")
    page.wait(lambda: page.run(done), "the transcript")
    assert json.loads(page.run(base)) == json.loads(page.run("return at('transcript').textContent")) and page.run(has)
    page.run(change, None)  # one piece is missing
    assert page.run(base) == "" and not page.run(has)
    page.run("return saveOther(app.keeper.store, {key: app.keeper.key, name: 'other'})")
    assert "was not kept" in page.text("#problem")
    page.run(change, "{}, as pages of before kept it")
    assert page.run(base).startswith("{}, as") and not page.run(has)
    page.run("return saveOther(app.keeper.store, {key: app.keeper.key, name: 'other'})")
    assert "cannot be read" in page.text("#problem")


def test_a_file_that_is_not_saved_is_told(page):
    page.run("URL.createObjectURL = () => { throw new Error('no room') }")
    page.click("[data-format=json]")
    page.wait(lambda: "talk.corrected.json is NOT saved: no room" in page.text("#problem"), "that it is told")
    assert page.text("#status") == ""


def test_a_database_that_does_not_open_is_told(talk, tmp_path):
    with browser.Browser(tmp_path, SOUND) as b:
        b.before_pages("IDBFactory.prototype.open = () => ({})")
        b.open("file://%s" % talk)
        ready(b)
        assert "database does not open" in b.text("#problem")
        b.run("app.t.setText(3, 'One', 'x')")
        kept(b)


def test_another_recording_is_told(page, build, talk, tmp_path):
    page.keys("#file", str(talk.with_suffix(".wav")))
    page.wait(lambda: "is the recording of this transcript" in page.text("#status"))
    other = recordings.write_wav(tmp_path / "other.wav", recordings.babble(5, seed=9))
    page.keys("#file", str(other))
    page.wait(lambda: "is not the recording" in page.text("#problem"))
    page.run("app.t.setText(0, ' Mine.', 'x')")
    kept(page)
    # the same name, another sound: nothing of it is taken
    (tmp_path / "x").mkdir()
    reviewed.write(tmp_path / "x", sound=False)
    recordings.write_wav(tmp_path / "x/talk.wav", recordings.babble(5, seed=10))
    page.open("file://%s" % written(build, tmp_path / "x/talk.json"))
    ready(page)
    page.wait(lambda: not page.run("return document.getElementById('others').hidden"))
    assert "another recording that is called talk" in page.text("#others-list") and rows(page)[0] != " Mine."
    # the same sound, another transcript
    (tmp_path / "y").mkdir()
    made = reviewed.write(tmp_path / "y", made=reviewed.transcript(reviewed.SENTENCES[:5]))
    page.open("file://%s" % written(build, made))
    ready(page)
    page.wait(lambda: "another transcript of this recording" in page.text("#others-list").lower())
    path = page.folder / "talk.corrected.json"
    path.unlink(missing_ok=True)
    page.click("#others-list button")
    page.wait(lambda: path.exists() and path.stat().st_size)
    assert json.loads(path.read_text())["segments"][0]["text"] == " Mine."
    page.complaints()


def test_any_text_is_text(chromium, build, tmp_path):
    nasty = "</script><script>window.ran=1</script><!-- & \" ' \\ \u2028 %3Cb>"
    made = reviewed.transcript([("</script><b>Ann", nasty + " end."), ("Bob", "x </SCRIPT > y")], doubtful=("end.",))
    b = opened(chromium, written(build, reviewed.write(tmp_path, "a <b> & #1?", made=made)))
    assert b.run("return window.ran") is None and b.text("h1") == "a <b> & #1?"
    assert rows(b)[0].replace("\u2028", " ").split() == (nasty + " end.").split()
    assert b.text(".row .who") == "</script><b>Ann" and b.run("return document.querySelectorAll('.row b, .row script').length") == 0
    b.wait(lambda: b.run("return app.player.isReady"), "a recording whose name has signs in it")
    assert b.complaints() == []


def test_right_to_left_and_words_without_spaces(chromium, build, tmp_path):
    made = reviewed.transcript([("a", "مرحبا بكم في البرنامج"), ("b", "شكرا جزيلا")], language="ar", doubtful=("بكم",))
    b = opened(chromium, written(build, reviewed.write(tmp_path, "ar", made=made)))
    assert b.run("return getComputedStyle(document.querySelector('.said')).direction") == "rtl"
    assert b.run("return document.querySelector('.said').lang") == "ar"
    made = reviewed.transcript([("a", "東京に行きました。"), ("b", "東亰は大きい。")], language="ja", doubtful=("亰",), spaced=False)
    b = opened(chromium, written(build, reviewed.write(tmp_path, "ja", made=made)))
    b.run("document.body.focus()")
    b.press("n")
    assert b.text("#place-text mark") == "亰"
    b.run("const s = document.getElementById('say'); s.focus(); s.value = '京'; s.dispatchEvent(new Event('input'))")
    b.press(ENTER)
    assert rows(b)[1] == "東京は大きい。"
    b.run("app.t.undo(); document.body.focus()")
    b.press("n")  # an input method finds a field at its first key; until then n and p are keys
    b.press("p")
    assert b.focused() == "say" and "亰" == b.text("#place-text mark")
    compose = {"text": "か", "selectionStart": 1, "selectionEnd": 1}
    b.ask("POST", "/goog/cdp/execute", {"cmd": "Input.imeSetComposition", "params": compose})
    b.ask("POST", "/goog/cdp/execute", {"cmd": "Input.insertText", "params": {"text": "下"}})
    b.wait(lambda: rows(b)[1] == "東下は大きい。", "what was composed")
    b.press(ESCAPE)
    assert rows(b)[1] == "東亰は大きい。" and b.focused() == "say"
    b.run("app.t.setText(0, '東京へ行きました。', 'x')")
    words = b.run("return app.t.rows[0].words.map(w => [w.text, w.base])")
    assert [w for w, base in words if base < 0] == ["へ"] and "".join(w for w, _ in words) == "東京へ行きました。"


ARABIC = [("أحمد", "Share Jet مرحبا بكم في البرنامج، اليوم نتحدث عن صناعه في العالم العربي."), ("سارة", "شكرا جزيلا. بدأت الشركة في عام 2015 (الهند)."), ("أحمد", "وما القادم؟")]
LONG_WORDS = [("Dr Annabella Wolkenstein-Schmetterling", "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft and "
               "http://example.org/a/very/long/address/that/never/ends/and/has/no/space/in/it?x=1234567890 Naomi?"), ("Bob", "ok then.")]
JAPANESE = [("田中", "東京に行きました。とても大きい町で、電車が便利でした。"), ("鈴木", "そうですか。来年も行きたいですね。")]


def misplaced(b):
    """What is cut off, or scrolls sideways, or stands over another."""
    return b.run("""
        const wide = innerWidth, bad = [], say = (e, what) => bad.push([e.tagName, e.id || e.className, what]);
        if (document.documentElement.scrollWidth > wide) bad.push("the page scrolls sideways");
        for (const e of document.querySelectorAll("body *")) {
            const r = e.getBoundingClientRect(), kind = getComputedStyle(e);
            if (!e.offsetParent || !r.width || e.closest("datalist, select")) continue;
            if (r.right > wide + 1 || r.left < -1) say(e, "cut off");
            if (e.scrollWidth > e.clientWidth + 1 && kind.overflowX !== "visible" && e.clientWidth && !e.matches("input, select, textarea")) say(e, "scrolls sideways");
        }
        const rows = [...document.querySelectorAll(".row")].map(e => e.getBoundingClientRect()).sort((x, y) => x.top - y.top);
        rows.forEach((r, i) => { if (i && rows[i - 1].bottom > r.top + 1) bad.push("row " + i + " stands over the next one"); });
        return bad""")


@pytest.mark.parametrize("width, height, letters", [(1280, 900, 16), (800, 1000, 16), (360, 740, 16), (320, 600, 16), (740, 360, 16), (1280, 900, 32), (360, 740, 32)])
def test_nothing_is_cut_off(build, tmp_path, width, height, letters):
    """On a phone, a tablet, with letters twice as large; from right to left, with words longer than a line, without spaces."""
    with browser.Browser(tmp_path, SOUND, prefs={"webkit.webprefs.default_font_size": letters}) as b:
        b.size(width, height)
        for name, sentences, doubtful, options in (("ar", ARABIC, "البرنامج،", {"language": "ar"}), ("long", LONG_WORDS, "Naomi?", {}),
                                                   ("ja", JAPANESE, "京", {"language": "ja", "spaced": False})):
            made = reviewed.transcript(sentences * 12, doubtful=(doubtful,), **options)
            opened(b, written(build, reviewed.write(tmp_path, name, made=made)))
            assert misplaced(b) == [], name
            b.run("document.body.focus()")
            b.press("n")
            assert misplaced(b) == [], name
            seen = b.run("""const r = document.querySelector(".said .place").getBoundingClientRect(), l = document.getElementById("list").getBoundingClientRect();
                return r.top >= l.top - 1 && (r.bottom <= l.bottom + 1 || l.height < 30)""")
            assert seen, name
            if height >= 740 and letters == 16:
                low = b.run("""document.getElementById("place").focus(); return [...document.querySelectorAll("#walk button, #say, #place")].map(e => e.getBoundingClientRect()).map(r => r.bottom).filter(bottom => bottom > innerHeight)""")
                assert low == [], name
            b.run("app.view.edit()")  # a field that grows pushes what is below it
            b.wait(lambda: b.run("const f = app.view.field(); return f.clientHeight >= f.scrollHeight - 2"))
            b.wait(lambda: misplaced(b) == [], "what the field pushes")
            b.run("app.view.leave(); app.find.open(true); document.getElementById('more').click()")
            assert misplaced(b) == [], name
            shown = b.run("return [...document.querySelectorAll('button, select, input')].filter(e => e.closest('header') && !e.offsetParent).map(e => e.id)")
            assert shown in ([], ["more"]), name  # none is out of reach
            b.run("document.getElementById('more').click(); app.find.open(false); document.getElementById('help').showModal()")
            assert misplaced(b) == [], name
            b.run("document.getElementById('help').close()")
            b.size(width - 60, height)  # lines break anew
            b.run("return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            b.wait(lambda: misplaced(b) == [], "lines that are narrower")
            b.size(width, height)
        assert b.complaints() == []


def test_from_right_to_left(chromium, build, tmp_path):
    made = reviewed.transcript(ARABIC * 3, language="ar", doubtful=("Share",))
    b = opened(chromium, written(build, reviewed.write(tmp_path, "ar", made=made)))
    b.run("document.body.focus()")
    b.press("n")
    assert b.text("#place-text mark") == "Share"  # with which the place begins, and yet
    assert b.run("return ['.said', '#place-text', '#say', '.row .time'].map(css => getComputedStyle(document.querySelector(css)).direction)") == ["rtl"] * 4
    time, said, mark, place = b.run("return ['.row .time', '.row .said', '#place-text mark', '#place-text'].map(css => document.querySelector(css).getBoundingClientRect().toJSON())")
    assert time["left"] >= said["right"] and mark["left"] > (place["left"] + place["right"]) / 2  # times at the right, the first words at the right
    words = b.run("return [...document.querySelector('.row .said').children].slice(1, 5).map(e => e.getBoundingClientRect().left)")
    assert words[1:] == sorted(words[1:], reverse=True)
    assert b.run("return document.querySelector('.row.current').getBoundingClientRect().right - document.querySelector('.row.current .time').getBoundingClientRect().right") < 30
    opened(b, written(build, reviewed.write(tmp_path, "en", made=reviewed.transcript())))
    assert b.run("return getComputedStyle(document.querySelector('.said')).direction") == "ltr"


def test_a_segment_of_thousands_of_words(chromium, build, tmp_path):
    """Only blocks of it are in the document; they are scrolled, edited, found and split as rows are."""
    made = reviewed.transcript([("Ann", " ".join("w%d%s" % (i, "." if i % 7 == 0 else "") for i in range(5000))), ("Bob", "The end.")], doubtful=("w3001",))
    b = opened(chromium, written(build, reviewed.write(tmp_path, "long", made=made)))
    seen = "return [...document.querySelectorAll('.said span')].map(e => e.textContent)"
    assert 50 < len(b.run(seen)) < 1500 and len(b.run("return document.querySelectorAll('.who')")) == 1
    b.run("document.body.focus()")
    b.press("n")
    assert b.text(".said .place") == "w3001" and b.text(".row.current .place") == "w3001"
    b.run("app.view.edit()")
    assert "w3001" in b.run("return app.view.field().value") and len(b.run("return app.view.field().value")) < 2000
    key, text = b.run("return [app.view.block, app.view.field().value]")
    b.press(" And more")
    b.press(ESCAPE)
    assert b.run("return app.view.textOf(app.view.currentBlock()).trim()") == text + " And more" and b.run("return app.view.block") == key
    assert b.focused() == "" and b.run("return document.activeElement.classList.contains('row')")
    words = b.run("return app.t.rows[0].words.length")
    assert words == 5002 and b.run("return app.view.blocks.of(app.t.rows[0]).reduce((n, block) => n + block.to - block.from, 0)") == words
    b.press(DOWN)
    assert b.run("return app.view.currentBlock().from") > 3000 and b.run("return app.view.current") == "0"
    b.chord(CONTROL, "f")
    b.press("w4999")
    b.run("app.find.go(1)")
    assert b.text(".said .found") == "w4999"
    b.run("document.getElementById('find-what').value = 'w1'; document.getElementById('find-by').value = 'W1'; app.find.search(); return app.find.replaceAll()")
    b.wait(lambda: b.run("return app.t.rows[0].text.includes('W1999')"))
    assert b.run("return app.t.rows[0].words.length") == words and "w1" not in rows(b)[0]
    kept(b)
    b.open(b.run("return location.href"))
    ready(b)
    assert "W1999 w2000" in rows(b)[0] and " And more" in rows(b)[0] and b.run("return app.t.rows[0].words.length") == words
    b.run("app.view.select('0', false, 4000); app.t.split(0, 4000)")
    assert b.run("return app.view.blocks.all().map(one => [one.id, one.from, one.to])")[-2][0] == "0.1"
    b.run("app.t.join(0)")
    assert b.run("return app.t.rows[0].words.length") == words and b.complaints() == []


def test_white_space_is_what_the_program_takes_for_it(chromium, build, tmp_path):
    made = reviewed.transcript([("a", "one \ufeff"), ("b", "\ufeffx y")], speakers=False)
    for segment, text in zip(made["segments"], (" \ufeffone\u2003", "\ufeff\x85 two\x1c")):
        segment["text"] = text
        del segment["words"]
    b = opened(chromium, written(build, reviewed.write(tmp_path, "odd", made=made)))
    (tmp_path / "again.json").write_bytes(saved(b, "json", "odd.corrected.json").read_bytes())
    subprocess.run([str(build / "whisp"), "--from", "again.json", "-f", "txt,srt"], cwd=tmp_path, check=True, capture_output=True)
    for form in ("txt", "srt"):
        assert saved(b, form, "odd." + form).read_bytes() == (tmp_path / ("again." + form)).read_bytes(), form


def test_transcripts_of_others(chromium, build, tmp_path):
    """Without words, with numbers that are none and text that looks like them, with segments in which nothing is."""
    made = {"text": " One: NaN, two. Three.", "language": "en", "segments": [
        {"id": 0, "start": 0.0, "end": 2.0, "text": " One: NaN, two.", "avg_logprob": float("nan")}, {"id": 1, "start": 2.0, "end": 2.0, "text": ""},
        {"id": 2, "start": 3.0, "end": 4.0, "text": " Three."}]}
    page = written(build, reviewed.write(tmp_path, "plain", made=made))
    b = opened(chromium, page)
    assert rows(b) == [" One: NaN, two.", "", " Three."] and "None" in b.text("#walk-count")
    b.run("app.t.setText(2, ' Three four.', 'x'); app.t.setText(1, 'Now.', 'y')")
    assert b.run("return app.t.rows[2].words.map(w => w.start)") == [3, pytest.approx(3.5, abs=0.2)]
    document = json.loads(saved(b, "json", "plain.corrected.json").read_text())
    assert [s["text"].strip() for s in document["segments"]] == ["One: NaN, two.", "Now.", "Three four."] and "words" not in document["segments"][0]
    (tmp_path / "again.json").write_text(json.dumps(document))
    subprocess.run([str(build / "whisp"), "--from", "again.json", "-f", "srt"], cwd=tmp_path, check=True, capture_output=True)
    assert saved(b, "srt", "plain.srt").read_bytes() == (tmp_path / "again.srt").read_bytes()
    odd = reviewed.transcript([("a", "not a: NaN, number"), ("b", "-Infinity")])
    odd["segments"][0]["avg_logprob"] = odd["segments"][0]["words"][0]["probability"] = float("nan")
    opened(b, written(build, reviewed.write(tmp_path, "odd", made=odd)))
    assert rows(b) == [" not a: NaN, number", " -Infinity"]
    made = saved(b, "json", "odd.corrected.json")
    assert json.loads(made.read_text())["segments"][0]["text"] == " not a: NaN, number"
    subprocess.run([str(build / "whisp"), "--from", str(made), "-f", "txt", "-o", str(tmp_path)], check=True, capture_output=True)
    empty = written(build, reviewed.write(tmp_path, "empty", made={"text": "", "segments": [], "language": "en"}))
    opened(b, empty)
    b.run("document.body.focus()")
    for keys in ("n", F2, SPACE, DOWN):
        b.press(keys)
    assert b.text("#problem") == "" and b.complaints() == []


def word(text, start, end, **more):
    return {"word": text, "start": start, "end": end, "probability": 0.5, **more}


ODD = {
    "whisperx": ({"segments": [{"start": 0.1, "end": 3.2, "text": " In 2015 we met.", "speaker": "SPEAKER_01", "words": [
        {"word": "In", "start": 0.1, "end": 0.3, "score": 0.8}, {"word": "2015"}, {"word": "we", "start": 1, "end": 1.2, "score": 0.7, "speaker": "SPEAKER_01"},
        {"word": "met.", "start": 1.3, "end": 1.8, "score": 0.9}]}], "word_segments": []}, [" In 2015 we met."]),
    "faster": ([{"id": 1, "seek": 0, "start": 0.0, "end": 2.0, "text": " hi there", "temperature": 0, "words": [word(" hi", 0, 1), word(" there", 1, 2)]}], [" hi there"]),
    "zero": ({"segments": [{"start": 1, "end": 1, "text": " a", "words": [word(" a", 1, 1)]}, {"start": 0.5, "end": 0.2, "text": " b", "words": [word(" b", 0.5, 0.2)]}]}, [" a", " b"]),
    "disorder": ({"segments": [{"start": 9, "end": 10, "text": " last", "words": [word(" last", 9, 10)]}, {"start": -5, "end": 1e9, "text": " odd", "words": [word(" odd", -5, 1e9)]}]}, [" last", " odd"]),
    "mismatch": ({"segments": [{"start": 0, "end": 2, "text": " completely other text", "words": [word(" hello", 0, 1)]}]}, [" completely other text"]),
    "emoji": ({"segments": [{"start": 0, "end": 2, "text": " 👩‍👩‍👧 👍🏽 e\u0301 \u202eevil", "words": [word(" 👩‍👩‍👧", 0, 1), word(" 👍🏽", 1, 1.2), word(" e\u0301", 1.2, 1.3), word(" \u202eevil", 1.3, 2)]}]},
              [" 👩‍👩‍👧 👍🏽 e\u0301 \u202eevil"]),
    "long": ({"segments": [{"start": 0, "end": 5, "text": " " + "x" * 20000 + " " + "漢" * 3000, "words": [word(" " + "x" * 20000, 0, 1), word(" " + "漢" * 3000, 1, 5)]}]},
             [" " + "x" * 20000 + " " + "漢" * 3000]),
    "thousands": ({"segments": [{"start": 0, "end": 900, "text": "".join(" w%d" % i for i in range(2500)),
                                 "words": [word(" w%d" % i, 0.3 * i, 0.3 * i + 0.2) for i in range(2500)]}]}, None),
    "nothing": ({"segments": [{"start": 0, "end": 3, "text": " a b", "words": [word(" ", 0, 1), word(" a", 1, 2), word(" b", 2, 3)]}]}, None),
    "blank": ({"segments": [{"start": 0, "end": 2, "text": "  ", "words": []}, {"start": 0, "end": 0, "text": ""}]}, None),
    "many": (reviewed.transcript([("Speaker %d" % i, "Number %d." % i) for i in range(250)]), [" Number %d." % i for i in range(250)]),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_transcripts(chromium, build, tmp_path, name):
    """Those of other programs, with times and texts that cannot be: shown, corrected, taken back, saved, and read back by the program."""
    made, texts = ODD[name]
    b = opened(chromium, written(build, reviewed.write(tmp_path, name, made=made)))
    assert texts is None or rows(b) == texts
    before = rows(b)
    b.run("document.body.focus()")
    b.press("n")
    b.run("""app.view.select(app.t.rows[0].id, true); app.view.edit(); const f = app.view.field(); f.value += " more"; f.dispatchEvent(new Event("input")); app.view.leave();
        app.t.split(0, 1); app.t.join(0); if (app.t.head.speakers.length) { app.t.renameSpeaker(0, "Zoe"); app.t.setSpeaker(0, 1, "Eve"); }""")
    assert " more" in rows(b)[0] and b.text("#problem") == ""
    if name == "many":
        assert b.run("return [...document.querySelectorAll('#speaker-list li')].map(e => e.textContent)")[250] == "1 segment"
        assert b.text(".row .who") == "Eve"
    corrected = saved(b, "json", name + ".corrected.json")
    forms = "txt,srt,vtt,json,html,ass,csv,md,lrc,tsv"
    subprocess.run([str(build / "whisp"), "--from", str(corrected), "-f", forms, "-o", str(tmp_path / "out")], check=True, capture_output=True)
    for form in ("txt", "srt", "vtt"):
        assert saved(b, form, name + "." + form).read_bytes() == (tmp_path / "out" / (name + ".corrected." + form)).read_bytes(), form
    b.run("while (app.t.done.length) app.t.undo()")
    assert rows(b) == before and b.complaints() == []


def second_window(page):
    """The same page once more: its handle, and the first one's."""
    first, url = page.ask("GET", "/window"), page.run("return location.href")
    second = page.ask("POST", "/window/new", {"type": "tab"})["handle"]
    page.ask("POST", "/window", {"handle": second})
    page.open(url)
    ready(page)
    return second, first


def test_two_windows_are_told(page):
    _, first = second_window(page)
    page.wait(lambda: "another window" in page.text("#problem"))
    page.ask("DELETE", "/window")
    page.ask("POST", "/window", {"handle": first})
    assert "another window" in page.text("#problem")


@pytest.mark.parametrize("store", ["database", "local"])
def test_two_windows_mix_nothing(talk, tmp_path, store):
    """What one has split stays whole, though the other, which does not know of it, writes another segment."""
    with browser.Browser(tmp_path, SOUND) as b:
        if store == "local":
            b.before_pages("delete window.indexedDB; Object.defineProperty(window, 'indexedDB', {value: undefined})")
        b.open("file://%s" % talk)
        ready(b)
        text = "".join(rows(b))
        second, first = second_window(b)
        if store == "local":
            b.before_pages("delete window.indexedDB; Object.defineProperty(window, 'indexedDB', {value: undefined})")
            b.open(b.run("return location.href"))
            ready(b)
        b.ask("POST", "/window", {"handle": first})
        b.run("app.t.split(0, 4)")
        kept(b)
        b.ask("POST", "/window", {"handle": second})
        b.run("app.t.setText(5, ' Elsewhere.', 'x')")
        b.wait(lambda: "another window has kept edits" in b.text("#problem"), "that it is told")
        assert not b.run("return app.keeper.isDone()") and rows(b)[5] == " Elsewhere."
        b.ask("DELETE", "/window")
        b.ask("POST", "/window", {"handle": first})
        b.run("app.t.setText(8, ' The end.', 'x')")
        kept(b)
        b.open(b.run("return location.href"))
        ready(b)
        assert len(rows(b)) == 9 and "".join(rows(b)[:8]) + " Thanks for listening." == text and rows(b)[8] == " The end."


def test_what_is_taken_back_is_seen_in_its_field(page):
    value = "return document.querySelector(arguments[0]).value"
    page.keys("#note", "In May")
    page.keys("#terms", "Nayomi")
    page.keys("#speaker-list input", "e")
    assert page.run("return app.t.head.speakers") == ["Anne", "Bob"]
    for css, was in (("#speaker-list input", "Ann"), ("#terms", ""), ("#note", "")):
        page.chord(CONTROL, "z")
        assert page.run(value, css) == was
    assert page.run("return [app.t.head.note, app.t.head.terms, app.t.head.speakers]") == ["", [], ["Ann", "Bob"]]
    page.chord(CONTROL, "y")
    assert page.run(value, "#note") == page.run("return app.t.head.note") == "In May"
    page.run("document.activeElement.blur(); document.body.focus()")
    before = rows(page)
    page.press("n")
    page.press("Foo")
    page.chord(CONTROL, "z")
    assert rows(page) == before and page.run(value, "#say") == page.text("#place-text mark")
    page.press("Bar")  # goes on from what is there
    assert not any("Foo" in text for text in rows(page)) and sum("Bar" in text for text in rows(page)) == 1 + sum("Bar" in text for text in before)


def test_two_speakers_of_one_name(page, build, tmp_path):
    page.run("app.t.join(1); app.t.renameSpeaker(1, 'Ann')")
    made = saved(page, "json", "talk.corrected.json")
    subprocess.run([str(build / "whisp"), "--from", str(made), "-f", "srt,vtt", "-o", str(tmp_path)], check=True, capture_output=True)
    for form in ("srt", "vtt"):
        assert saved(page, form, "talk." + form).read_bytes() == (tmp_path / ("talk.corrected." + form)).read_bytes(), form
    assert page.run("return app.t.turnOf(0)") == [0, 7]


def test_keyboard_and_what_a_screen_reader_is_told(page):
    page.run("document.body.tabIndex = -1; document.body.focus()")
    page.press("n")
    page.run("document.body.focus()")
    seen = []
    while not seen or (seen[-1] != "say" and len(seen) < 60):
        page.press(TAB)
        seen.append(page.run("const e = document.activeElement; return e.id || e.dataset.format || e.className || e.tagName"))
    for wanted in ("play", "position", "speed", "find-open", "json", "srt", "walk-order", "place", "say"):
        assert wanted in seen, (wanted, seen)
    assert page.role("#place") == ("group", "Doubtful places") and page.role("#list") == ("list", "Segments")
    assert page.role(".row")[0] == "listitem" and page.role("#position") == ("slider", "Position") and page.role("#offers")[0] == "listbox"
    assert page.run("const r = document.querySelector('.row'); return [r.getAttribute('aria-posinset'), r.getAttribute('aria-setsize')]") == ["1", "8"]
    assert page.role("#status")[0] == "status" and page.role("main")[0] == "main" and page.role("aside")[0] == "complementary"
    nameless = page.run("""return [...document.querySelectorAll("button, input, select, textarea")].filter(e => e.offsetParent &&
        !(e.textContent.trim() || e.getAttribute("aria-label") || e.labels && e.labels.length)).map(e => e.outerHTML)""")
    assert nameless == []
    page.run("app.view.select('0', true)")
    page.press(DOWN)
    assert page.run("return document.activeElement.dataset.id") == "1"
    page.run("document.getElementById('help-open').click()")
    assert page.role("#help") == ("dialog", "Keys")
    page.press(ESCAPE)


def test_the_recording_inside_the_page(chromium, build, tmp_path):
    page = written(build, reviewed.write(tmp_path), "--embed_audio", "True")
    (tmp_path / "talk.wav").unlink()
    b = opened(chromium, page)
    b.wait(lambda: b.run("return app.player.isReady"), "the recording")
    assert b.run("return app.player.audio.duration") == pytest.approx(reviewed.SECONDS) and b.complaints() == []
    page = written(build, tmp_path / "talk.json")  # and where it is nowhere, that is said
    opened(b, page)
    assert "Choose the recording" in b.text("#status") and b.run("return document.getElementById('play').disabled")


def test_sums_without_the_browsers_own(page):
    for text in ("", "abc", "x" * 55, "y" * 56, "z" * 64, "ä" * 1000):
        ours = page.run("return sha256(new TextEncoder().encode(arguments[0]))", text)
        assert ours == __import__("hashlib").sha256(text.encode()).hexdigest()
