"use strict";
// list.js - a list of which only what is seen is in the document: rows of unequal height, placed one below the other. A
// row's height is guessed until it was drawn once; what is looked at stays in its place when a guess was wrong.

const AROUND = 400; // pixels above and below what is seen

class RowList {
    // rows(): the rows now. make(row): its element. key(row): its name. token(row): the same as long as what is drawn is.
    // guess(row): its height until it was drawn.
    constructor(scroller, {rows, make, key, token, guess}) {
        Object.assign(this, {scroller, rows, make, key, token, guess});
        this.sheet = document.createElement("div");
        this.sheet.className = "sheet";
        scroller.append(this.sheet);
        this.heights = new Map(); // by key
        this.shown = new Map();   // key -> {name: the key, element, row, token}
        this.fresh = [];          // of these those that were not measured yet
        this.tops = null;
        this.asked = false;
        scroller.addEventListener("scroll", () => this.ask(), {passive: true});
        new ResizeObserver(() => this.resized()).observe(scroller);
        this.watch = new ResizeObserver(() => { if (this.takeHeights(this.shown.values())) this.refresh(); });
    }

    resized() {
        if (this.width !== this.scroller.clientWidth) {
            this.heights.clear();
            this.takeHeights(this.shown.values());
        }
        this.width = this.scroller.clientWidth;
        this.scale = parseFloat(getComputedStyle(this.scroller).fontSize) / 16; // of the letters
        this.refresh();
    }

    ask() {
        if (this.asked) return;
        this.asked = true;
        requestAnimationFrame(() => { this.asked = false; this.draw(); });
    }

    measureAll() {
        const rows = this.rows();
        if (this.tops && this.tops.length === rows.length + 1) return;
        this.tops = new Float64Array(rows.length + 1);
        for (let i = 0; i < rows.length; i++)
            this.tops[i + 1] = this.tops[i] + (this.heights.get(this.key(rows[i])) || this.guess(rows[i]));
    }

    // The row at a height.
    at(y) {
        let low = 0, high = this.tops.length - 1;
        while (low < high) {
            const middle = low + high >> 1;
            if (this.tops[middle + 1] <= y) low = middle + 1;
            else high = middle;
        }
        return Math.min(low, this.tops.length - 2);
    }

    // Something changed: rows whose token is another one are drawn anew.
    refresh() {
        this.tops = null;
        this.draw();
    }

    draw() {
        const rows = this.rows(), view = this.scroller.clientHeight;
        if (!rows.length || !view) return this.clear();
        for (let round = 0; round < 3; round++) {
            this.measureAll();
            const top = this.scroller.scrollTop, anchor = this.at(top), above = top - this.tops[anchor];
            const first = this.at(Math.max(0, top - AROUND)), last = this.at(top + view + AROUND), wanted = new Set();
            for (let i = first; i <= last; i++) wanted.add(this.show(rows[i]));
            for (const name of [...this.shown.keys()]) if (!wanted.has(name)) this.hide(name);
            const changed = this.takeHeights(this.fresh);
            this.fresh.length = 0;
            if (changed) { this.tops = null; this.measureAll(); }
            this.place(rows, first, last);
            if (!changed) return;
            const wish = this.tops[anchor] + above;
            if (Math.abs(wish - this.scroller.scrollTop) >= 1) this.scroller.scrollTop = wish;
        }
    }

    show(row) {
        const name = this.key(row), shown = this.shown.get(name), token = this.token(row);
        if (shown) shown.row = row;
        if (shown && shown.token === token) return name;
        const element = this.make(row, shown && shown.element);
        if (shown && shown.element !== element) {
            this.watch.unobserve(shown.element);
            shown.element.replaceWith(element);
        } else if (!shown) this.sheet.append(element);
        const made = {name, element, row, token};
        this.shown.set(name, made);
        this.fresh.push(made);
        this.watch.observe(element);
        return name;
    }

    hide(name) {
        const {element} = this.shown.get(name);
        // It keeps the focus and stays, out of sight.
        if (element.contains(document.activeElement) && this.rows().some(row => this.key(row) === name)) return;
        this.drop(name);
    }

    drop(name) {
        const {element} = this.shown.get(name);
        this.watch.unobserve(element);
        element.remove();
        this.shown.delete(name);
    }

    clear() {
        for (const name of [...this.shown.keys()]) this.drop(name);
        this.sheet.style.height = "0px";
    }

    // Of what was drawn just now, or may have grown since: a field in which somebody types, a larger letter.
    takeHeights(shown) {
        let changed = false;
        for (const {name, element} of shown) {
            const height = element.offsetHeight;
            if (this.heights.get(name) !== height) {
                this.heights.set(name, height);
                changed = true;
            }
        }
        return changed;
    }

    place(rows, first, last) {
        this.sheet.style.height = this.tops[rows.length] + "px";
        let before = null;
        for (let i = first; i <= last; i++) {
            const {element} = this.shown.get(this.key(rows[i]));
            element.style.top = this.tops[i] + "px";
            element.setAttribute("aria-posinset", i + 1);
            element.setAttribute("aria-setsize", rows.length);
            if (before && before.nextSibling !== element && !element.contains(document.activeElement)) before.after(element); // read in order
            before = element;
        }
    }

    // Bring a row into sight: in the middle where it is not there yet.
    reveal(i) {
        this.measureAll();
        if (i < 0 || i + 1 >= this.tops.length) return;
        const top = this.scroller.scrollTop, view = this.scroller.clientHeight;
        if (this.tops[i] >= top && this.tops[i + 1] <= top + view) return this.draw();
        for (let wish = -1, round = 0; round < 3; round++) { // guesses above it become heights as it comes near
            const middle = Math.max(0, (this.tops[i] + Math.min(this.tops[i + 1], this.tops[i] + view)) / 2 - view / 2);
            if (Math.abs(middle - wish) < 1) break;
            this.scroller.scrollTop = wish = middle;
            this.draw();
            this.measureAll();
        }
    }

    // The part of a row into sight, by as little as can be.
    bring(part) {
        const seen = this.scroller.getBoundingClientRect(), {top, bottom} = part.getBoundingClientRect();
        const by = top < seen.top ? top - seen.top : Math.max(0, bottom - seen.bottom);
        if (by) this.scroller.scrollTop += by;
    }

    elementOf(name) {
        const shown = this.shown.get(name);
        return shown ? shown.element : null;
    }

    // The row that an element shows.
    rowOf(element) {
        for (const shown of this.shown.values()) if (shown.element === element) return shown.row;
        return null;
    }
}
