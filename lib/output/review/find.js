"use strict";
// find.js - find and replace, and the offer to change all places that are alike.

const MOST_ALIKE = 60; // that are listed one by one
const MEANWHILE = "The transcript has changed meanwhile: find it again.";

class Find {
    constructor(app) {
        this.app = app;
        this.found = [];
        this.at = -1;
        at("find-open").onclick = () => this.open(at("find").hidden);
        at("find-close").onclick = () => this.open(false);
        for (const id of ["find-what", "find-exact", "find-whole"]) at(id).addEventListener("input", () => this.search());
        at("find").onsubmit = event => event.preventDefault();
        at("find-next").onclick = () => this.go(1);
        at("find-previous").onclick = () => this.go(-1);
        at("find-replace").onclick = () => this.replace();
        at("find-all").onclick = () => this.replaceAll();
        at("find-alike").onclick = () => this.alike();
        at("find").addEventListener("keydown", event => {
            if (event.key === "Escape") this.open(false);
            else if (event.key === "Enter" && event.target.matches("[type=text]") && !event.isComposing) this.go(event.shiftKey ? -1 : 1);
        });
        at("alike-change").onclick = () => this.changeAlike();
        at("alike-leave").onclick = () => this.leaveAlike();
        at("alike").addEventListener("keydown", event => {
            if (event.key === "Escape") this.leaveAlike();
            else if (event.key === "Enter" && event.target.matches("input")) this.changeAlike();
            else return;
            event.preventDefault();
            event.stopPropagation();
        });
    }

    open(is) {
        at("find").hidden = !is;
        at("find-open").setAttribute("aria-expanded", String(is));
        if (is) {
            at("find-what").focus();
            at("find-what").select();
            this.search();
        } else {
            this.show(null);
            at("find-open").focus();
        }
    }

    search() {
        const {t} = this.app, what = at("find-what").value;
        const pattern = patternOf(what, {isExact: at("find-exact").checked, isWhole: at("find-whole").checked});
        this.found = findText(t, pattern);
        this.version = t.version;
        this.at = -1;
        this.count();
    }

    count() {
        const n = this.found.length;
        at("find-count").textContent = !at("find-what").value.trim() ? "" : this.at >= 0 ? this.at + 1 + " of " + n : n === 1 ? "1 place" : n + " places";
    }

    // Today's places, and which of them is shown.
    renew() {
        if (this.version === this.app.t.version) return;
        const was = this.found[this.at];
        this.search();
        if (was) this.at = this.found.findIndex(one => one.row > was.row || (one.row === was.row && one.from >= was.from)) - 1;
    }

    go(by) {
        this.renew();
        const n = this.found.length;
        if (!n) return this.app.say("Not found.");
        this.at = ((this.at < 0 && by < 0 ? 0 : this.at) + by + n) % n;
        this.show(this.found[this.at]);
        this.count();
    }

    show(found) {
        const {view, t} = this.app, old = view.found && t.rows[view.found.row];
        view.found = found;
        if (old) view.redraw(old.id);
        if (!found) return;
        const row = t.rows[found.row], word = Blocks.wordAt(row, found.from);
        view.select(row.id, false, word);
        view.redraw(row.id);
        view.reveal(found.row, word);
    }

    async replace() {
        this.renew();
        if (this.at < 0) return this.go(1);
        const one = this.found[this.at], by = at("find-by").value, {t} = this.app, old = t.rows[one.row].text.slice(one.from, one.to);
        await t.replaceAll("replacing “" + old + "”", [{...one, text: by}], {corrections: t.corrected(old, by, 1)});
        this.at--;
        this.search();
        this.at = this.found.findIndex(next => next.row > one.row || (next.row === one.row && next.from >= one.from + by.length)) - 1;
        this.go(1);
    }

    async replaceAll() {
        this.renew();
        const {t} = this.app, by = at("find-by").value, what = at("find-what").value.trim(), n = this.found.length;
        if (!n) return this.app.say("Not found.");
        const label = "replacing “" + what + "” " + n + " times", head = {corrections: t.corrected(what, by, n)};
        if (!await t.replaceAll(label, this.found.map(one => ({...one, text: by})), head)) return this.app.say(MEANWHILE);
        this.show(null);
        this.search();
        this.app.say("Replaced " + n + (n === 1 ? " place." : " places.") + " Undo takes it all back.");
    }

    async alike() {
        const what = at("find-what").value.trim(), by = at("find-by").value.trim();
        if (!what || !by) return this.app.say("Say what is to be found, and what is to stand there.");
        const found = await findAlike(this.app.t, what, by);
        if (!found || !found.length) return this.app.say("Nothing sounds like it.");
        this.offer(what, by, found, false, true);
    }

    // ---- all that is alike ----

    offer(from, to, found, goesOn, focus) {
        const {t} = this.app, same = found.filter(one => one.unlike === 0), others = found.filter(one => one.unlike > 0);
        this.offered = {from, to, found, goesOn, version: t.version};
        at("alike-head").textContent = "“" + trimmed(from) + "” became “" + trimmed(to) + "”. Elsewhere, too?";
        const items = [];
        const item = (label, group, isChecked) => {
            const box = make("input", {type: "checkbox", checked: isChecked});
            box.onchange = () => this.countAlike();
            box.places = group;
            items.push(make("li", {}, make("label", {className: "check"}, box, make("span", {dir: this.app.direction}, ...label))));
        };
        if (same.length) item([same.length === 1 ? "1 place that is the same: " + this.around(same[0]) : same.length + " places that are the same"], same, true);
        for (const one of others.slice(0, MOST_ALIKE)) item([make("b", {textContent: one.text}), make("small", {textContent: "  … " + this.around(one) + " …"})], [one], false);
        at("alike-list").replaceChildren(...items);
        at("alike-more").textContent = others.length > MOST_ALIKE ? others.length - MOST_ALIKE + " more sound less like it and are not listed." : "";
        at("alike").hidden = false;
        this.countAlike();
        if (goesOn || focus) (same.length ? at("alike-change") : at("alike-head")).focus();
        else this.app.say("There are other places like it: see “Elsewhere, too?”.");
    }

    around({row, from, to}) {
        const {text} = this.app.t.rows[row];
        return text.slice(Math.max(0, from - 24), to + 24).trim();
    }

    chosen() {
        return [...at("alike-list").querySelectorAll("input:checked")].flatMap(box => box.places);
    }

    countAlike() {
        const n = this.chosen().length;
        at("alike-change").disabled = !n;
        at("alike-change").textContent = n === 1 ? "Change 1 place" : "Change " + n + " places";
    }

    async changeAlike() {
        const {t, walk} = this.app, {from, to, version} = this.offered;
        if (t.version !== version) {
            this.app.say(MEANWHILE);
            return this.leaveAlike();
        }
        const places = this.chosen().sort((a, b) => a.row - b.row || a.from - b.from);
        if (!places.length) return this.leaveAlike();
        const heard = {...t.head.heard}, touched = this.basesOf(places);
        for (const place of walk.places) for (let b = place.first; b <= place.last; b++) if (touched.has(b)) heard[place.first] = "changed";
        let {corrections} = t.head;
        for (const one of places) corrections = t.corrected(one.text, trimmed(to), 1, corrections);
        at("alike").hidden = true;
        const isDone = await t.replaceAll("changing " + places.length + " places", places.map(one => ({...one, text: fitted(to, from, one.text)})), {corrections, heard});
        this.app.say(isDone ? "Changed " + places.length + (places.length === 1 ? " place." : " places.") + " Undo takes it all back." : MEANWHILE);
        this.leaveAlike();
    }

    // The words, as they came, of places that are in order.
    basesOf(places) {
        const found = new Set(), {rows} = this.app.t;
        for (let p = 0; p < places.length;) {
            const {row} = places[p];
            let end = 0;
            for (const word of rows[row].words) {
                const start = end;
                end += word.text.length;
                while (p < places.length && places[p].row === row && places[p].to <= start) p++;
                if (p < places.length && places[p].row === row && places[p].from < end && word.base >= 0) found.add(word.base);
            }
            while (p < places.length && places[p].row === row) p++;
        }
        return found;
    }

    leaveAlike() {
        const {goesOn} = this.offered;
        at("alike").hidden = true;
        if (goesOn) this.app.walk.go(1);
        else this.app.view.select(this.app.view.current, true);
    }
}
