"use strict";
// page.js - the beginning: reads the data that html.c put into the page, takes up what was edited before, and ties the parts
// together.

const app = {
    head: JSON.parse(at("head").textContent),
    say(text) { at("status").textContent = text; },
    complain(text) { at("problem").textContent = text; },
    hear(seconds) {
        app.walk.isHearing = false;
        app.player.seek(seconds);
        app.player.play();
    },
    lexicon: [], // the transcript's frequent words
    // Found anew, a while after a correction.
    async learn() {
        if (app.isLearning) return;
        app.isLearning = true;
        app.lexicon = await lexiconOf(app.t);
        app.isLearning = false;
    },
};

// ---- files ----

const EXPORTS = {
    json: {ending: ".corrected.json", type: "application/json", make: asJson},
    txt: {ending: ".txt", type: "text/plain", make: asText},
    srt: {ending: ".srt", type: "application/x-subrip", make: asSrt},
    vtt: {ending: ".vtt", type: "text/vtt", make: asVtt},
    doc: {ending: ".document.html", type: "text/html", make: t => asDocument(t, app.head.name, t.document.language, app.direction === "rtl" ? "rtl" : "ltr")},
};

async function saveFile(name, type, pieces) {
    app.say("Saving " + name + " …");
    try {
        const link = make("a", {href: URL.createObjectURL(await blobOfPieces(pieces, type)), download: name});
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 60000);
        app.say("Saved as " + name + ".");
    } catch (error) {
        app.say("");
        app.complain(name + " is NOT saved: " + error.message);
    }
}

// What was corrected further is called as what was corrected: whisp --from finds its recording by that.
function stemOf(name) {
    return name.replace(/(?:\.corrected)+$/, "");
}

function saveAs(format) {
    const {ending, type, make: pieces} = EXPORTS[format];
    return saveFile(stemOf(app.head.name) + ending, type, pieces(app.t.snapshot()));
}

// ---- the recording ----

async function chooseRecording(file) {
    if (!file) return;
    app.player.open(URL.createObjectURL(file), file.name);
    const sum = await sumOfFile(file);
    const known = app.head.hash || app.t.head.recording;
    if (known && known !== sum)
        app.complain(file.name + " is not the recording that this transcript was made of: its bytes are others. It plays, but words may be said at other times.");
    else {
        app.complain("");
        app.say(file.name + (known ? " is the recording of this transcript." : " is chosen."));
        if (!known) app.t.changeHead("choosing the recording", {recording: sum});
    }
}

async function openRecording() {
    const sound = at("sound"), {link} = app.head;
    if (sound) return app.player.open(URL.createObjectURL(await blobOf(sound.textContent, typeOf(link || ""))), app.head.name);
    if (link) app.player.open(link.split("/").map(encodeURIComponent).join("/"), link);
    else app.say("Choose the recording to hear it.");
}

function drawPlayer() {
    const {player} = app, {audio} = player, total = audio.duration || app.head.duration || 0;
    at("play").textContent = player.isPlaying ? "Pause" : "Play";
    at("play").disabled = !player.isReady;
    at("choose").classList.toggle("wanted", !player.isReady);
    at("position").max = String(total);
    at("position").disabled = !player.isReady;
}

function drawTime() {
    const {player} = app, {time} = player;
    at("time").textContent = clock(time) + " / " + clock(player.audio.duration || app.head.duration || 0);
    at("position").value = String(time);
    at("position").setAttribute("aria-valuetext", clock(time));
    app.view.follow(time, player.isPlaying);
}

function makePlayer() {
    app.player = new Player(at("audio"), {changed: drawPlayer, moved: drawTime, failed: source =>
        app.complain(source + " cannot be played: it is not where this page looks for it, or not in a form that browsers play. Choose the recording, " +
                     "or one of the same sound that ffmpeg has made an mp3 or m4a of.")});
    for (let speed = 0.5; speed <= 3; speed += 0.25) at("speed").append(new Option(speed + "×", String(speed), speed === 1, speed === 1));
    at("speed").onchange = () => app.player.speed(Number(at("speed").value));
    at("play").onclick = () => { app.walk.isHearing = false; app.player.toggle(); };
    at("back").onclick = () => app.player.seek(app.player.time - 5);
    at("forth").onclick = () => app.player.seek(app.player.time + 5);
    at("position").oninput = () => app.player.seek(Number(at("position").value));
    at("file").onchange = () => chooseRecording(at("file").files[0]);
}

// ---- speakers ----

function drawSpeakers() {
    const {t} = app, counts = new Map();
    for (const row of t.rows) counts.set(row.speaker, (counts.get(row.speaker) || 0) + 1);
    at("speakers").hidden = !t.head.speakers.length;
    app.speakersDrawn = t.head.speakers;
    if (at("speaker-list").contains(document.activeElement)) { // it is being typed in, or that was taken back
        [...at("speaker-list").querySelectorAll("input")].forEach((field, number) => {
            const name = t.head.speakers[number];
            if (name !== undefined && field.value.trim() && field.value.trim() !== name) field.value = name;
        });
        return;
    }
    at("speaker-list").replaceChildren(...t.head.speakers.map((name, number) => {
        const field = make("input", {type: "text", value: name, dir: "auto", autocomplete: "off"}), group = "speaker" + number + "." + t.version;
        field.setAttribute("aria-label", "Name of speaker " + (number + 1) + ", everywhere");
        field.oninput = () => { if (field.value.trim()) t.renameSpeaker(number, field.value.trim(), group); };
        field.onblur = () => setTimeout(drawSpeakers);
        const n = counts.get(number) || 0;
        return make("li", {}, field, make("span", {textContent: n + (n === 1 ? " segment" : " segments")}));
    }));
}

// Who says row i: asked, for the segment, its turn, or all of the speaker's.
app.askWho = i => {
    const {t} = app, row = t.rows[i], [from, to] = t.turnOf(i), dialog = at("who-dialog");
    at("who-name").value = nameOf(t, row.speaker);
    at("who-names").replaceChildren(...t.head.speakers.map(name => make("option", {value: name})));
    at("who-turn").textContent = to - from === 1 ? "this turn (it alone)" : "this turn (" + (to - from) + " segments)";
    dialog.querySelector("[value=all]").disabled = row.speaker < 0;
    dialog.querySelector("[value=turn]").checked = true;
    dialog.returnValue = "";
    dialog.onclose = () => {
        const reach = dialog.querySelector("[name=reach]:checked").value, name = at("who-name").value.trim();
        app.view.select(row.id, true);
        if (dialog.returnValue !== "set" || name === nameOf(t, row.speaker)) return;
        if (reach === "all" && name) t.renameSpeaker(row.speaker, name);
        else t.setSpeaker(reach === "segment" ? i : from, reach === "segment" ? i + 1 : to, name);
    };
    dialog.showModal();
    at("who-name").select();
};

// ---- keys that work everywhere ----

function isTyping(target) {
    return target.matches("textarea, select, input:not([type=checkbox]):not([type=radio]):not([type=range])") || Boolean(target.closest("dialog"));
}

// The first word that two rows do not have in common.
function changedFrom(old, now) {
    let k = 0;
    while (old && now && k < now.words.length && old.words[k] === now.words[k]) k++;
    return k;
}

function stepBack(isUndo) {
    app.view.leave();
    app.walk.session = null;
    const entry = isUndo ? app.t.undo() : app.t.redo();
    if (!entry) return app.say(isUndo ? "Nothing to undo." : "Nothing to do again.");
    if (entry.splices.length) {
        const [splice] = entry.splices, i = Math.min(splice.at, app.t.rows.length - 1), word = changedFrom(splice.old[0], splice.now[0]);
        app.view.select(app.t.rows[i].id, false, word);
        app.view.reveal(i, word);
    }
    if (app.walk.at >= 0) app.walk.show(app.walk.at, false);
    app.say((isUndo ? "Undone: " : "Done again: ") + entry.label + ".");
}

function globalKey(event) {
    const command = event.ctrlKey || event.metaKey, key = event.key.toLowerCase();
    if (command && !event.altKey && key === "z") {
        if (event.target.id === "find-what" || event.target.id === "find-by") return;
        stepBack(!event.shiftKey);
    } else if (command && !event.altKey && key === "y") stepBack(false);
    else if (command && !event.altKey && key === "f") app.find.open(true);
    else if (command && !event.altKey && key === "s") saveAs("json");
    else if (command || event.altKey || isTyping(event.target) || event.isComposing) return;
    else if (event.key === " " && !event.target.matches("button, input")) at("play").click();
    else if ((event.key === "ArrowLeft" || event.key === "ArrowRight") && !event.target.matches("input")) app.player.seek(app.player.time + (event.key === "ArrowLeft" ? -5 : 5));
    else if ((key === "n" || key === "p") && !event.shiftKey && at("letter-keys").checked) app.walk.go(key === "n" ? 1 : -1);
    else if (event.key === "F2") app.view.edit();
    else return;
    event.preventDefault();
}

// ---- what was kept ----

function tellKept(state, why) {
    at("kept").textContent = state === "kept" ? "Kept in this browser." : state === "keeping" ? "Keeping …" : "";
    if (state === "failed")
        app.complain("What you change is NOT kept in this browser" + (why ? ": " + why : "") + ". Save it as JSON before you close this page.");
    else if (app.keepFailed) app.complain("");
    app.keepFailed = state === "failed";
}

async function otherEdits(store, key) {
    const here = app.head, list = [];
    for (const head of await store.heads()) {
        if (head.key === key) continue;
        const isSame = head.recording && head.recording === here.hash;
        if (!isSame && head.name !== here.name) continue;
        const when = new Date(head.when).toLocaleString(), what = isSame ? "Of another transcript of this recording, of " + when + ". " :
            "Of another recording that is called " + head.name + ", too, of " + when + ". They are not used here. ";
        list.push(make("li", {}, what, button("Save them as JSON", () => saveOther(store, head))));
    }
    at("others").hidden = !list.length;
    at("others-list").replaceChildren(...list);
    if (list.length) app.say("Other edits are kept in this browser: see the end of the page.");
}

async function saveOther(store, head) {
    let t;
    try {
        const kept = await store.load(head.key), base = await store.base(head.key);
        if (!base) return app.complain("The transcript that these edits are of was not kept; open its own page.");
        t = new Transcript(parsed(base));
        t.restore(kept.head.head, kept.rows, kept.head.order);
    } catch (error) {
        return app.complain("These edits cannot be read here; open their own page: " + error.message);
    }
    return saveFile(stemOf(head.name) + ".corrected.json", "application/json", asJson(t));
}

async function takeUp(store) {
    const {hash, transcript, name} = app.head, key = (hash || "") + "." + transcript;
    const about = {recording: hash || null, transcript, name, text: () => at("transcript").textContent};
    if (store) {
        try {
            const kept = await store.load(key);
            if (kept.head) {
                app.t.restore(kept.head.head, kept.rows, kept.head.order);
                app.say("What you edited on " + new Date(kept.head.when).toLocaleString() + " is here again.");
            }
            app.kept = kept;
        } catch (error) {
            app.complain("What was edited before cannot be read: " + error.message);
        }
    }
    app.keeper = new Keeper(store, key, app.t, about, tellKept);
    app.keeper.structure = Boolean(app.kept && app.kept.head && app.kept.head.order);
    if (app.kept && app.kept.hasBase) app.keeper.baseLeft = 0;
    app.keeper.seen = app.kept && app.kept.writer;
    if (store && store.isLocked)
        app.complain("The browser's database does not open: what was kept in it is not shown here, and what you change is kept beside it. Close this page and open it again.");
    if (!store) tellKept("failed", "it has no store for this page");
    else otherEdits(store, key).catch(() => {});
    tellTwice(key);
}

// Two windows with the same transcript would write over each other: said in both.
function tellTwice(key) {
    let channel;
    try { channel = new BroadcastChannel(STORE_NAME); } catch { return; } // nobody can be asked
    channel.onmessage = ({data}) => {
        if (data.key !== key) return;
        if (data.asks) channel.postMessage({key});
        app.complain("This transcript is open in another window, too: correct it in one of them only, and close the other.");
    };
    channel.postMessage({key, asks: true});
}

// ---- the beginning ----

// Python's json and ours write numbers that are none as NaN and Infinity, which a browser does not read.
function parsed(text) {
    try {
        return JSON.parse(text);
    } catch {
        return JSON.parse(text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"|NaN|-?Infinity/g, found => found.startsWith('"') ? found : "null"));
    }
}

function changed(change) {
    if (app.view.found && change.touched.size) app.view.found = null;
    const isRenamed = app.t.head.speakers !== app.speakersDrawn; // each change of them brings a new list
    if (isRenamed) app.view.list.shown.forEach(shown => { shown.token = app.view.editing ? shown.token : null; });
    app.view.settle();
    app.view.list.refresh();
    at("undo").disabled = !app.t.done.length;
    at("redo").disabled = !app.t.undone.length;
    if (isRenamed || change.order) drawSpeakers();
    if (change.head) drawNotes();
    if (!app.walk.session) app.walk.draw();
}

function termsOf(text) {
    return text.split("\n").map(term => term.trim()).filter(Boolean);
}

// What stands in the fields is what is kept, also when it was taken back.
function drawNotes() {
    const {note, terms} = app.t.head, text = terms.join("\n");
    if (at("note").value !== note) at("note").value = note;
    if (termsOf(at("terms").value).join("\n") !== text) at("terms").value = text;
}

function listenToNotes() {
    const {t} = app;
    drawNotes();
    at("note").oninput = () => t.changeHead("a note", {note: at("note").value}, "note");
    at("terms").oninput = () => t.changeHead("names to offer", {terms: termsOf(at("terms").value)}, "terms");
}

async function begin() {
    const text = parsed(at("transcript").textContent);
    app.t = new Transcript(text);
    app.language = text.language || "";
    app.direction = RIGHT_TO_LEFT.has(app.language) ? "rtl" : "auto";
    if (app.direction === "rtl") at("list").dir = "rtl";
    at("name").textContent = app.head.name;
    document.title = app.head.name + " – review";
    await takeUp(await openStore());
    app.doubtful = new Set();
    const certain = app.t.baseWords.filter(word => word.confidence > 0).map(word => word.confidence).sort((a, b) => a - b);
    app.leastCertain = Math.min(0.99, certain[Math.floor(certain.length / 10)] ?? 1); // a tenth of the words is marked in the text
    app.walk = new Walk(app);
    makePlayer();
    app.view = new View(app);
    app.find = new Find(app);
    app.t.listeners.push(changed);
    listenToNotes();
    drawSpeakers();
    drawPlayer();
    app.walk.draw();
    if (text.incomplete) app.complain("Not all of the recording is in this transcript: " + text.incomplete);
    at("undo").onclick = () => stepBack(true);
    at("redo").onclick = () => stepBack(false);
    at("more").onclick = () => at("more").setAttribute("aria-expanded", String(document.querySelector("header").classList.toggle("all")));
    at("help-open").onclick = () => at("help").showModal();
    document.querySelectorAll("[data-format]").forEach(b => { b.onclick = () => saveAs(b.dataset.format); });
    document.addEventListener("keydown", globalKey);
    window.addEventListener("beforeunload", event => { if (!app.keeper.isDone()) event.preventDefault(); });
    openRecording();
    setTimeout(app.learn);
    app.view.list.refresh();
    app.isReady = true;
    performance.mark("ready");
}

begin().catch(error => app.complain("The page does not work here: " + error.message));
