"use strict";
// player.js - the recording: an audio element that plays the file beside the page, one that was chosen, or the one inside
// the page. Works without any, too: then places are shown and nothing is heard.

class Player {
    constructor(audio, {changed, moved, failed}) {
        Object.assign(this, {audio, changed, moved, failed});
        this.until = Infinity;
        this.source = "";
        audio.addEventListener("play", () => { this.changed(); this.watch(); });
        audio.addEventListener("pause", () => this.changed());
        audio.addEventListener("loadedmetadata", () => { this.isReady = true; this.changed(); this.moved(); });
        audio.addEventListener("seeked", () => this.moved());
        audio.addEventListener("timeupdate", () => this.check()); // where frames are not drawn, in a hidden window
        audio.addEventListener("error", () => {
            if (!audio.getAttribute("src")) return;
            this.isReady = false;
            this.failed(this.source);
            this.changed();
        });
    }

    open(url, name) {
        if (this.url) URL.revokeObjectURL(this.url);
        this.url = url.startsWith("blob:") ? url : null;
        const speed = this.audio.playbackRate;
        this.source = name;
        this.isReady = false;
        this.audio.src = url;
        this.audio.defaultPlaybackRate = speed;
    }

    get time() { return this.audio.currentTime || 0; }

    get isPlaying() { return !this.audio.paused && !this.audio.ended; }

    seek(seconds) {
        this.until = Infinity;
        this.audio.currentTime = Math.max(0, Math.min(seconds, this.audio.duration || seconds));
        this.moved();
    }

    // From start to end, then it stops.
    stretch(start, end) {
        this.seek(start);
        this.until = end;
        this.play();
    }

    play() {
        if (this.source) this.audio.play().catch(() => {}); // the error event says why
    }

    toggle() {
        if (this.isPlaying) return this.audio.pause();
        this.until = Infinity;
        this.play();
    }

    speed(value) {
        this.audio.playbackRate = this.audio.defaultPlaybackRate = value;
    }

    check() {
        if (this.isPlaying && this.time >= this.until) {
            this.until = Infinity;
            this.audio.pause();
        }
        this.moved();
    }

    watch() {
        if (!this.isPlaying) return;
        this.check();
        requestAnimationFrame(() => this.watch());
    }
}

// What a file with this ending is called among types; browsers look into it themselves where it is empty.
function typeOf(name) {
    const types = {mp3: "audio/mpeg", m4a: "audio/mp4", m4b: "audio/mp4", mp4: "video/mp4", wav: "audio/wav", flac: "audio/flac", ogg: "audio/ogg",
                   oga: "audio/ogg", opus: "audio/ogg", webm: "video/webm", aac: "audio/aac"};
    return types[name.toLowerCase().split(".").pop()] || "";
}

// Base64 as a Blob, in steps that let the page live.
async function blobOf(base64, type) {
    const parts = [], STEP = 1 << 20;
    for (let at = 0; at < base64.length; at += STEP) {
        parts.push(Uint8Array.from(atob(base64.slice(at, at + STEP)), c => c.charCodeAt(0)));
        await new Promise(done => setTimeout(done));
    }
    return new Blob(parts, {type});
}
