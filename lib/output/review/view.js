"use strict";
// view.js - the transcript as it is seen: a row's element, the word that is being said, and editing a segment's text.

const at = id => document.getElementById(id);

function make(tag, properties, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
}

function button(text, action, more) {
    return make("button", {type: "button", textContent: text, ...more, onclick: action});
}

const RIGHT_TO_LEFT = new Set(["ar", "fa", "he", "ps", "sd", "ur", "yi"]);

class View {
    constructor(app) {
        this.app = app;
        this.current = app.t.rows.length ? app.t.rows[0].id : ""; // the row that keys are for
        this.block = this.current; // and the block of it, by its key
        this.pointed = null;   // {id, word}: the word that was clicked
        this.editing = null;   // {id, key, row: as it was, from, to: the words that are typed anew, group}
        this.said = null;      // {id, word} that is being said
        this.found = null;     // {row, from, to}
        this.sessions = 0;
        this.blocks = new Blocks(app.t);
        this.list = new RowList(at("list"), {rows: () => this.blocks.all(), make: (block, old) => this.element(block, old), key: block => block.key,
                                             token: block => block.token, guess: block => this.guess(block)});
        this.listen();
    }

    guess({row, from, to}) {
        const {scale} = this.list, width = this.list.width / scale, isNarrow = width < 720, wide = Math.min(960, width) - (isNarrow ? 22 : 130);
        const isWhole = from === 0 && to === row.words.length, length = isWhole ? row.text.length : row.text.length / row.words.length * (to - from);
        const characters = Math.max(10, wide / (isWhole && UNSPACED.test(row.text) ? 16 : 7.6));
        return 8 + 24 * scale * Math.max(1, Math.ceil(length / characters)) + (isNarrow || (row.speaker >= 0 && !from) ? 24 * scale : 0) + (row.note ? 24 * scale : 0);
    }

    // ---- which block ----

    currentBlock() {
        const i = this.index(), blocks = i < 0 ? [] : this.blocks.of(this.app.t.rows[i]);
        return blocks.find(block => block.key === this.block) || blocks[0];
    }

    // After a change: what was current may be gone.
    settle() {
        const {rows} = this.app.t;
        if (this.index() < 0 && rows.length) this.current = rows[0].id;
        const block = this.currentBlock();
        if (block) this.block = block.key;
    }

    // Bring a word of row i into sight.
    reveal(i, word = 0) {
        const number = this.blocks.numberOf(i, word), {key, from} = this.blocks.list[number];
        this.list.reveal(number);
        const shown = this.list.elementOf(key), span = shown && shown.querySelectorAll(".said > span")[word - from];
        if (span) this.list.bring(span); // of a block that is higher than the list
    }

    redraw(id) {
        for (const shown of this.list.shown.values()) if (shown.row.id === id) shown.token = null;
        this.list.refresh();
    }

    // ---- a row ----

    element(block, old) {
        const {t} = this.app, {row} = block, isCurrent = block.key === this.block, isEdited = this.editing && this.editing.key === block.key;
        if (old && isEdited && old.querySelector("textarea.edit")) {
            this.fit(old.querySelector("textarea.edit"));
            return old; // the person is typing in it
        }
        const element = make("div", {className: "row" + (isCurrent ? " current" : ""), tabIndex: isCurrent ? 0 : -1});
        element.setAttribute("role", "listitem");
        element.dataset.id = row.id;
        const start = this.startOf(block), time = make("button", {type: "button", className: "time", textContent: clock(start), tabIndex: isCurrent ? 0 : -1});
        time.setAttribute("aria-label", "Play from " + clock(start));
        element.append(time);
        if (t.head.speakers.length && !block.from) {
            const name = nameOf(t, row.speaker), who = make("button", {type: "button", className: "who", textContent: name || "(nobody)",
                                                                      tabIndex: isCurrent ? 0 : -1, dir: "auto"});
            who.setAttribute("aria-label", "Speaker: " + (name || "not known") + ". Change");
            element.append(who);
        }
        element.append(isEdited && !this.editing.isNote ? this.editor(block) : this.spoken(block));
        if (row.note && block.to === row.words.length) element.append(make("p", {className: "note", dir: "auto", textContent: row.note}));
        return element;
    }

    startOf({row, from}) {
        return from ? row.words[from].start : row.start;
    }

    spoken(block) {
        const {t, walk} = this.app, {row} = block, said = make("div", {className: "said", dir: this.app.direction, lang: this.app.language});
        const place = walk && walk.shown && walk.shown.id === row.id ? walk.shown : null, found = this.found && t.rows[this.found.row] === row ? this.found : null;
        for (let k = block.from, from = block.at; k < block.to; from += row.words[k].text.length, k++) {
            const word = row.words[k], span = document.createElement("span"), to = from + word.text.length, bare = word.text.trimStart();
            span.textContent = bare;
            if (k > block.from && bare !== word.text) said.append(word.text.slice(0, word.text.length - bare.length)); // no line stands under it
            let name = "";
            if (word.base >= 0 && !word.heard && this.app.doubtful.has(word.base)) name += " doubt";
            if (word.corrected) name += " edited";
            if (place && k >= place.from && k <= place.to) name += " place";
            if (found && from < found.to && to > found.from) name += " found";
            if (this.said && this.said.id === row.id && this.said.word === k) name += " now";
            if (name) span.className = name.slice(1);
            said.append(span);
        }
        return said;
    }

    index() {
        return this.app.t.indexOf(this.current);
    }

    // Make a row the current one, or the block of it that has a word.
    select(id, focus, word) {
        const i = this.app.t.indexOf(id), old = this.block;
        const block = i < 0 ? null : word !== undefined ? this.blocks.all()[this.blocks.numberOf(i, word)] :
            this.blocks.of(this.app.t.rows[i]).find(one => one.key === old) || this.blocks.of(this.app.t.rows[i])[0];
        if (!block) return;
        if (this.editing && this.editing.key !== block.key) this.leave();
        this.current = id;
        this.block = block.key;
        for (const name of [old, block.key]) { // nothing else of it changes, so that what is being clicked stays where it is
            const element = this.list.elementOf(name);
            if (!element) continue;
            element.classList.toggle("current", name === block.key);
            for (const part of [element, ...element.querySelectorAll(".time, .who")]) part.tabIndex = name === block.key ? 0 : -1;
        }
        if (focus) {
            this.reveal(i, block.from);
            const element = this.list.elementOf(block.key);
            if (element) element.focus({preventScroll: true});
        }
    }

    step(by) {
        const all = this.blocks.all(), block = this.currentBlock(), i = this.blocks.numberOf(this.index(), block.from);
        const {id, from} = all[Math.max(0, Math.min(all.length - 1, i + by))];
        this.select(id, true, from);
    }

    // ---- the word that is being said ----

    follow(seconds, isPlaying) {
        const {t} = this.app;
        if (!t.rows.length) return;
        const i = t.rowAt(seconds), row = t.rows[i];
        let k = -1, end = row.words.length; // the last word that has begun
        while (k + 1 < end) {
            const middle = k + 1 + end >> 1;
            if (row.words[middle].start <= seconds) k = middle;
            else end = middle;
        }
        if (k >= 0 && row.words[k].end < seconds - 0.5) k = -1;
        if (this.said && this.said.id === row.id && this.said.word === k) return;
        this.mark(false);
        const block = this.blocks.all()[this.blocks.numberOf(i, k)], moved = !this.said || this.said.key !== block.key;
        this.said = {id: row.id, word: k, key: block.key};
        this.mark(true);
        if (moved && isPlaying && !this.editing && !this.app.walk.isHearing && performance.now() - this.scrolledAt > 3000) this.reveal(i, k);
    }

    mark(is) {
        const shown = this.said && this.list.shown.get(this.said.key);
        const span = shown && shown.row.id === this.said.id && shown.element.querySelectorAll(".said > span")[this.said.word - shown.row.from];
        if (span) span.classList.toggle("now", is);
    }

    // ---- editing ----

    // caret: a character of the row.
    edit(caret) {
        const i = this.index(), row = this.app.t.rows[i];
        if (!row || this.editing) return;
        if (caret !== undefined) this.select(row.id, false, Blocks.wordAt(row, caret));
        const block = this.currentBlock();
        this.editing = {id: row.id, key: block.key, row, from: block.from, to: block.to, group: "edit" + ++this.sessions};
        this.blocks.held = block.key;
        this.redraw(row.id);
        this.reveal(i, block.from);
        const field = this.field();
        if (!field) return;
        field.focus();
        const place = caret === undefined ? field.value.length : Math.max(0, caret - block.at - this.lead(block).length);
        field.setSelectionRange(place, place);
    }

    field() {
        const element = this.list.elementOf(this.block);
        return element && element.querySelector("textarea.edit");
    }

    textOf({row, from, to}) {
        return from === 0 && to === row.words.length ? row.text : textOf(row.words.slice(from, to));
    }

    lead(block) {
        return /^\s*/.exec(this.textOf(block))[0];
    }

    editor(block) {
        const {row, key} = block, field = make("textarea", {className: "edit", value: this.textOf(block).trimStart(), rows: 1, dir: this.app.direction,
                                                           lang: this.app.language, spellcheck: true});
        field.setAttribute("aria-label", "Text of the segment at " + clock(this.startOf(block)));
        field.oninput = () => this.typed(field);
        field.onblur = () => { if (this.editing && this.editing.key === key && document.hasFocus()) this.leave(); };
        setTimeout(() => this.fit(field));
        return field;
    }

    fit(field) {
        field.style.height = "auto";
        field.style.height = field.scrollHeight + 4 + "px";
    }

    // Every key is a change that is kept.
    typed(field) {
        const {t} = this.app, {id, row, from, to, group} = this.editing, i = t.indexOf(id), text = field.value.replace(/[\r\n]+/g, " ");
        const old = row.words.slice(from, to), before = row.words.slice(0, from), after = row.words.slice(to), lead = this.lead({row, from, to});
        const within = {start: before.length ? before.at(-1).end : row.start, end: after.length ? after[0].start : row.end, speaker: row.speaker};
        const words = retext(old, text ? (lead || (UNSPACED.test(text) ? "" : " ")) + text : "", within);
        t.change("typing", [{at: i, remove: 1, add: [t.row(t.rows[i], before.length || after.length ? before.concat(words, after) : words)]}], {group});
    }

    // What was typed stays; a short correction is looked for elsewhere.
    leave(backToRow) {
        if (!this.editing) return;
        const {id, row} = this.editing, now = this.app.t.rows[this.app.t.indexOf(id)];
        this.editing = null;
        this.blocks.release(now);
        this.redraw(id);
        if (backToRow) this.select(id, true);
        const change = now && this.changeOf(row, now);
        if (change) this.app.walk.taught(change.from, change.to, false);
    }

    // The words that were replaced by others, where that is one short stretch.
    changeOf(before, after) {
        const a = before.words, b = after.words;
        let head = 0, tail = 0;
        while (head < Math.min(a.length, b.length) && a[head].text === b[head].text) head++;
        while (tail < Math.min(a.length, b.length) - head && a.at(-1 - tail).text === b.at(-1 - tail).text) tail++;
        const from = a.slice(head, a.length - tail), to = b.slice(head, b.length - tail);
        return from.length && to.length && from.length < 5 && to.length < 5 ? {from: textOf(from), to: textOf(to)} : null;
    }

    // The word of a row that begins nearest to a character.
    wordAtCharacter(row, character) {
        let start = 0, best = 0, least = Infinity;
        row.words.forEach((word, k) => {
            const away = Math.abs(start - character);
            if (away < least) { least = away; best = k; }
            start += word.text.length;
        });
        return best;
    }

    split() {
        const {t} = this.app, i = this.index(), field = this.field(), row = t.rows[i], block = this.currentBlock();
        const k = this.editing ? this.wordAtCharacter(row, block.at + field.selectionStart + this.lead(block).length) :
            this.pointed && this.pointed.id === row.id ? this.pointed.word : this.said && this.said.id === row.id ? this.said.word : -1;
        if (this.editing) this.leave(true);
        if (!t.split(i, k)) return this.app.say("Click the word before which the segment is to be split, then split it.");
        this.app.say("Split.");
        this.select(t.rows[i + 1].id, true);
    }

    join(withPrevious) {
        const {t} = this.app, i = this.index() - (withPrevious ? 1 : 0);
        if (i < 0) return;
        const length = t.rows[i].text.trimStart().length, wasEditing = this.editing;
        if (wasEditing) this.leave();
        if (!t.join(i)) return this.app.say("There is no segment behind it.");
        this.app.say("Joined.");
        this.select(t.rows[i].id, true);
        if (wasEditing) this.edit(length + /^\s*/.exec(t.rows[i].text)[0].length + 1);
    }

    note() {
        const {t} = this.app, id = this.current, i = this.index(), group = "note" + ++this.sessions;
        if (i < 0) return;
        this.select(id, true, t.rows[i].words.length);
        const element = this.list.elementOf(this.block);
        if (!element || element.querySelector("textarea")) return;
        const field = make("textarea", {value: t.rows[i].note, rows: 2, dir: "auto"});
        field.setAttribute("aria-label", "Note on this segment");
        this.editing = {id, key: this.block, row: t.rows[i], group, isNote: true};
        field.className = "edit";
        field.oninput = () => t.setNote(t.indexOf(id), field.value, group);
        field.onblur = () => { this.editing = null; this.redraw(id); };
        element.append(field);
        field.focus();
    }

    // ---- mouse and keys on the list ----

    listen() {
        at("segment-edit").onclick = () => this.edit();
        at("segment-split").onclick = () => this.split();
        at("segment-join").onclick = () => this.join(false);
        at("segment-who").onclick = () => { if (this.index() >= 0) this.app.askWho(this.index()); };
        at("segment-note").onclick = () => this.note();
        const list = at("list"), where = event => {
            const element = event.target.closest(".row"), span = event.target.closest(".said > span");
            const block = element && this.list.rowOf(element);
            return block && {id: block.id, block, word: span ? block.from + [...span.parentNode.children].indexOf(span) : -1, target: event.target};
        };
        this.scrolledAt = -10000;
        list.addEventListener("wheel", () => { this.scrolledAt = performance.now(); }, {passive: true});
        list.addEventListener("click", event => {
            const here = where(event);
            if (!here || here.target.closest("textarea")) return;
            const row = this.app.t.rows[this.app.t.indexOf(here.id)];
            this.pointed = here.word >= 0 ? here : null;
            this.select(here.id, false, here.block.from);
            if (here.target.closest(".who")) return this.app.askWho(this.index());
            if (here.target.closest(".time") || here.word < 0) {
                if (here.target.closest(".time")) this.app.hear(this.startOf(here.block));
                return;
            }
            if (event.detail < 2) this.app.hear(row.words[here.word].start);
        });
        list.addEventListener("dblclick", event => {
            const here = where(event);
            if (!here || here.word < 0) return;
            const row = this.app.t.rows[this.app.t.indexOf(here.id)];
            this.select(here.id, false, here.word);
            this.edit(textOf(row.words.slice(0, here.word + 1)).length);
        });
        list.addEventListener("keydown", event => this.key(event));
        list.addEventListener("focusin", event => {
            const element = event.target.closest(".row"), block = element === event.target && this.list.rowOf(element);
            if (block && block.key !== this.block) this.select(block.id, true, block.from);
        });
    }

    key(event) {
        const isField = event.target.matches("textarea"), plainKey = !event.ctrlKey && !event.metaKey && !event.altKey;
        if (isField && event.key === "Escape") {
            if (this.editing && !this.editing.isNote) this.leave(true);
            else this.select(this.current, true);
        } else if (isField && this.editing && !this.editing.isNote && event.key === "Enter" && !event.isComposing) {
            if (event.ctrlKey || event.metaKey) this.split();
            else this.leave(true);
        } else if (isField && this.editing && !this.editing.isNote && event.key === "Backspace" && plainKey &&
                   event.target.selectionStart === 0 && event.target.selectionEnd === 0 && this.index() > 0 && !this.editing.from) {
            this.join(true);
        } else if (!isField && plainKey && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
            this.step(event.key === "ArrowDown" ? 1 : -1);
        } else if (!isField && plainKey && event.key === "Enter" && event.target.matches(".row")) {
            this.edit();
        } else {
            return;
        }
        event.preventDefault();
        event.stopPropagation();
    }
}
