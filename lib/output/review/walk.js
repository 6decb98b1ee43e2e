"use strict";
// walk.js - the short walk over the doubtful places: one after the other is shown and played; it is accepted, replaced by
// something that is offered, or typed anew. A correction is then offered for all places that are alike.

const AROUND_PLACE = 1; // seconds that are heard before and after it, in all
const COMPOSED = new Set(["ja", "zh", "yue", "ko", "vi"]); // languages that are typed by way of an input method
const BREATH = 0.1;     // of them those that a place holds already, as in lib/output/places.c

class Walk {
    constructor(app) {
        this.app = app;
        this.places = Walk.placesOf(app.t, app.head.places || []);
        app.doubtful = new Set(this.places.flatMap(place => Array.from({length: place.to - place.from + 1}, (_, i) => place.from + i))
            .filter(base => !(app.t.baseWords[base].confidence > app.leastCertain)));
        this.at = -1;        // in order
        this.shown = null;   // {id, from, to}: the row and its words that are the place now
        this.session = null; // {row, from, to, text, group}: as it was when typing began
        this.offered = -1;
        this.sessions = 0;
        this.mostOf = this.most();
        this.sort();
        this.listen();
    }

    // Those of the head; without any, the words that the model gave the least probability. One that reaches over a segment's
    // end is one for each.
    static placesOf(t, given) {
        if (!given.length) {
            const known = t.baseWords.filter(word => word.confidence === undefined && word.probability < 0.5);
            const worst = known.sort((a, b) => a.probability - b.probability).slice(0, Math.ceil(t.baseWords.length / 10));
            given = worst.map(word => ({first: word.base, last: word.base, start: word.start - BREATH, end: word.end + BREATH}));
        }
        const rowOf = [], places = [];
        t.baseRows.forEach((row, i) => row.words.forEach(word => { if (word.base >= 0) rowOf[word.base] = i; }));
        for (const place of given)
            for (let first = place.first; first <= place.last; first++) {
                let last = first;
                while (last < place.last && rowOf[last + 1] === rowOf[first]) last++;
                if (rowOf[first] === undefined || !t.baseWords[last]) continue;
                const all = first === place.first && last === place.last;
                places.push({first, last, ...Walk.worst(t, first, last), chance: place.chance, start: all ? place.start : t.baseWords[first].start - BREATH,
                             end: all ? place.end : t.baseWords[last].end + BREATH, number: places.length});
                first = last;
            }
        return places;
    }

    // Of the words that are heard in one place those that are in doubt, from the first to the last: typing replaces them.
    static worst(t, first, last) {
        const risk = base => 1 - (t.baseWords[base].confidence ?? t.baseWords[base].probability ?? 1);
        let worst = 0, from = first, to = last;
        for (let base = first; base <= last; base++) worst = Math.max(worst, risk(base));
        while (from < last && risk(from) < worst / 2) from++;
        while (to > from && risk(to) < worst / 2) to--;
        return {from, to};
    }

    // How many places, from the first, hold four fifths of the errors that are likely in all.
    most() {
        const risk = word => word.confidence > 0 ? 1 - word.confidence : 0, all = this.app.t.baseWords.reduce((sum, word) => sum + risk(word), 0);
        let sum = 0;
        for (const place of this.places) {
            for (let base = place.first; base <= place.last; base++) sum += risk(this.app.t.baseWords[base]);
            if (sum >= 0.8 * all) return place.number + 1;
        }
        return 0;
    }

    sort() {
        const now = this.order && this.order[this.at];
        this.order = this.places.slice();
        if (at("walk-order").value === "time") this.order.sort((a, b) => a.start - b.start);
        if (now) this.at = this.order.indexOf(now);
    }

    isDone(place) {
        return this.app.t.head.heard[place.first] !== undefined;
    }

    // Where a place is now: its words where they are left, else what is said at their time.
    locate(place) {
        const {t} = this.app, here = [];
        for (let base = place.from; base <= place.to; base++) {
            const found = t.whereIs(base);
            if (found) here.push(found);
        }
        if (here.length === place.to - place.from + 1 && here.every(([row]) => row === here[0][0]))
            return {row: here[0][0], from: here[0][1], to: here.at(-1)[1]};
        const start = t.baseWords[place.from].start, end = t.baseWords[place.to].end, middle = (start + end) / 2;
        const row = here.length ? here[0][0] : t.rowAt(middle), words = t.rows[row].words;
        let nearest = 0, from = -1, to = -1;
        words.forEach((word, k) => {
            if (Math.abs(word.start - start) < Math.abs(words[nearest].start - start)) nearest = k;
            if (word.start >= end || word.end <= start) return;
            from = from < 0 ? k : from;
            to = k;
        });
        return words.length ? {row, from: from < 0 ? nearest : from, to: from < 0 ? nearest : to} : null;
    }

    // ---- going ----

    // The next one in a direction that is not done yet; where all are done, the next one.
    go(by) {
        if (!this.order.length) return this.app.say("There is no doubtful place.");
        const n = this.order.length, first = this.at < 0 && by < 0 ? 0 : this.at;
        let to = (first + by + n) % n;
        if (by > 0 && this.order.some(place => !this.isDone(place)))
            while (this.isDone(this.order[to])) to = (to + by + n) % n;
        this.show(to, true);
    }

    show(to, isNew) {
        const {t, view} = this.app, place = this.order[to], here = place && this.locate(place);
        this.at = to;
        this.session = null;
        if (!here) return this.draw();
        const row = t.rows[here.row], old = this.shown;
        this.shown = {id: row.id, from: here.from, to: here.to};
        this.offers = offersFor(t, row.words.slice(here.from, here.to + 1), this.app.lexicon);
        this.offered = -1;
        view.select(row.id, false, here.from);
        if (old && old.id !== row.id) view.redraw(old.id);
        view.redraw(row.id);
        view.reveal(here.row, here.from);
        this.draw();
        if (!isNew) return;
        at("alike").hidden = true;
        this.focus();
        this.hear();
    }

    // An input method needs a field that has the focus from its first key on: there the field takes a place's keys until
    // something is typed in it.
    focus() {
        if (document.scrollingElement.scrollHeight > innerHeight) document.querySelector("main").scrollIntoView({block: "end"}); // its head is scrolled away
        this.isFresh = COMPOSED.has(this.app.language) && !at("say").disabled;
        if (!this.isFresh) return at("place").focus({preventScroll: true});
        at("say").focus({preventScroll: true});
        at("say").select();
    }

    hear() {
        const place = this.order[this.at], around = AROUND_PLACE - BREATH;
        if (!place) return;
        this.isHearing = true;
        this.app.player.stretch(Math.max(0, place.start - around), place.end + around);
    }

    current() {
        const {t} = this.app, i = this.shown ? t.indexOf(this.shown.id) : -1;
        return i < 0 ? null : {i, row: t.rows[i], words: t.rows[i].words.slice(this.shown.from, this.shown.to + 1)};
    }

    draw() {
        const n = this.places.length, left = this.places.filter(place => !this.isDone(place)).length, here = this.current();
        at("walk-count").textContent = n ? (this.at >= 0 ? "Place " + (this.at + 1) + " of " + n : n + (n === 1 ? " place" : " places")) + ", " + left + " left." + (this.mostOf ? " The first " + this.mostOf + " hold about 80% of the likely errors." : "") :
            "None: the transcript holds no confidence (whisp --confidence True), or no word is in doubt.";
        for (const id of ["walk-accept", "walk-again", "walk-previous", "walk-next"]) at(id).disabled = !n;
        at("say").disabled = !here || this.at < 0;
        const box = at("place-text");
        box.replaceChildren();
        at("offers").replaceChildren();
        at("place-chance").textContent = "";
        if (this.at < 0 || !here) {
            box.textContent = n ? "Press n for the first one." : "";
            return;
        }
        const {words} = here.row, place = this.order[this.at], state = this.app.t.head.heard[place.first];
        const before = textOf(words.slice(Math.max(0, this.shown.from - 7), this.shown.from)), after = textOf(words.slice(this.shown.to + 1, this.shown.to + 8));
        box.lang = this.app.language;
        box.dir = at("say").dir = this.app.direction;
        const now = textOf(here.words), [lead] = /^\s*/.exec(now);
        box.append(before + lead, make("mark", {textContent: now.slice(lead.length)}), after);
        at("place-chance").textContent = clock(place.start) + (place.chance === undefined ? "" : ", right by a chance of " + Math.round(100 * place.chance) + "%") +
            (state === "right" ? ". Accepted" : state === "changed" ? ". Corrected" : "");
        at("offers").append(...this.offers.map((text, i) => {
            const item = make("li", {textContent: text, dir: this.app.direction, id: "offer" + i});
            item.setAttribute("role", "option");
            item.setAttribute("aria-selected", String(i === this.offered));
            item.onclick = () => this.take(text);
            return item;
        }));
        if (this.offered >= 0) at("place").setAttribute("aria-activedescendant", "offer" + this.offered);
        else at("place").removeAttribute("aria-activedescendant");
        if (document.activeElement !== at("say") || !this.session) at("say").value = textOf(here.words).trim();
    }

    // ---- deciding ----

    begin() {
        const here = this.current();
        if (!here || this.session) return;
        const from = textOf(here.row.words.slice(0, this.shown.from)).length;
        this.session = {row: here.row, from, to: from + textOf(here.words).length, text: textOf(here.words), words: here.words.length, group: "place" + ++this.sessions};
    }

    // What stands in the field is what is said there; each key is a change that is kept.
    typed(text) {
        this.begin();
        const {t} = this.app, s = this.session, i = this.shown ? t.indexOf(this.shown.id) : -1;
        if (!s || i < 0) return;
        const clean = text.replace(/\s+/g, " ").trim(), lead = /^\s*/.exec(s.text)[0];
        const words = clean === s.text.trim() ? s.row.words : replaceRange(s.row.words, s.from, s.to, clean ? lead + clean : "", s.row);
        t.change("a correction", [{at: i, remove: 1, add: [t.row(t.rows[i], words)]}], {group: s.group, head: this.marked(clean === s.text.trim() ? undefined : "changed")});
        const count = words.length - (s.row.words.length - s.words);
        this.shown = {...this.shown, to: Math.max(this.shown.from - (count ? 0 : 1), this.shown.from + count - 1)};
    }

    marked(state) {
        const {head} = this.app.t, heard = {...head.heard}, place = this.order[this.at];
        if (state) heard[place.first] = state;
        else delete heard[place.first];
        return {...head, heard};
    }

    accept() {
        const {t} = this.app, here = this.current();
        if (this.at < 0 || !here) return this.go(1);
        if (this.offered >= 0) return this.take(this.offers[this.offered]);
        if (this.session && this.session.text.trim() !== textOf(here.words).trim()) return this.finish();
        const {first, last} = this.order[this.at], isHeard = (word, k) => (k >= this.shown.from && k <= this.shown.to) || (word.base >= first && word.base <= last);
        const words = here.row.words.map((word, k) => isHeard(word, k) ? {...word, heard: true} : word);
        t.change("accepting a place", [{at: here.i, remove: 1, add: [t.row(here.row, words)]}], {head: this.marked("right")});
        this.go(1);
    }

    take(text) {
        this.begin();
        this.typed(text);
        this.finish();
    }

    // The correction is made: where else?
    finish() {
        const here = this.current(), {text} = this.session, now = here ? textOf(here.words) : "";
        this.session = null;
        this.draw();
        return this.taught(text, now, true);
    }

    async taught(from, to, goesOn) {
        const {t} = this.app;
        if (trimmed(from) === trimmed(to) || !trimmed(to)) return goesOn && this.go(1);
        t.head = {...t.head, corrections: t.corrected(trimmed(from), trimmed(to), 1)}; // part of the change before it
        t.done.at(-1).head = t.head;
        this.app.keeper.changed({touched: [], head: true});
        const found = await findAlike(t, from, to);
        this.app.learn();
        if (found && found.length) this.app.find.offer(from, to, found, goesOn);
        else if (goesOn) this.go(1);
    }

    // Back to what it was before typing.
    giveUp() {
        if (this.session) this.typed(this.session.text);
        this.session = null;
        this.draw();
        this.focus();
    }

    // ---- keys ----

    listen() {
        const place = at("place"), say = at("say");
        at("walk-order").onchange = () => { this.sort(); this.draw(); };
        at("walk-next").onclick = () => this.go(1);
        at("walk-previous").onclick = () => this.go(-1);
        at("walk-again").onclick = () => this.hear();
        at("walk-accept").onclick = () => this.accept();
        say.onfocus = () => this.begin();
        say.oninput = event => {
            this.isFresh = false;
            if (!event.isComposing) this.typed(say.value);
        };
        say.addEventListener("compositionend", () => this.typed(say.value));
        say.onblur = () => this.leaveField();
        say.onkeydown = event => {
            if (event.isComposing || event.keyCode === 229) { // the input method has the key
                this.isFresh = false;
                return;
            }
            if (this.isFresh) return this.key(event);
            if (event.key === "Enter") this.accept();
            else if (event.key === "Escape") this.giveUp();
            else return;
            event.preventDefault();
            event.stopPropagation();
        };
        place.onkeydown = event => this.key(event);
    }

    // What was typed stays, though nobody pressed Enter.
    leaveField() {
        const here = this.current();
        if (!this.session || !here || !document.hasFocus()) return;
        const {text} = this.session, now = textOf(here.words);
        this.session = null;
        if (text.trim() !== now.trim()) this.taught(text, now, false);
    }

    key(event) {
        if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
        const {key} = event;
        if (key === "n" || key === "p") this.go(key === "n" ? 1 : -1);
        else if (key === "Enter") this.accept();
        else if (key === "ArrowDown" || key === "ArrowUp") this.pick(key === "ArrowDown" ? 1 : -1);
        else if (key === "F2") {
            this.isFresh = false;
            at("say").focus();
            at("say").select();
        } else if (key === " " && this.isFresh) at("play").click();
        else if ((key.length === 1 && key !== " ") || key === "Backspace" || key === "Delete") return this.startTyping(event, key.length === 1);
        else return;
        event.preventDefault();
        event.stopPropagation();
    }

    // The key itself goes into the field, which has the focus when it arrives there.
    startTyping(event, isText) {
        const say = at("say");
        if (say.disabled) return;
        this.isFresh = false;
        event.stopPropagation();
        say.focus();
        say.select();
        if (isText) return;
        event.preventDefault();
        say.value = "";
        this.typed("");
    }

    pick(by) {
        const n = this.offers ? this.offers.length : 0;
        if (n) this.offered = Math.max(-1, Math.min(n - 1, this.offered + by));
        this.draw();
    }
}
