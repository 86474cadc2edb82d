// One camera's picture, asked for again and again while somebody can see it, and thrown away when it grows old.
const EVERY_MS = 300;
const EMPTY_MS = 1000;
const OLD_MS = 6000;

export class Preview {
  constructor(picture, place, watched) {
    this.picture = picture;
    this.place = place;
    this.allowed = false;
    this.inView = true;
    this.showing = false;
    this.waited = false;
    this.tag = null;
    this.freshAt = performance.now();
    this.address = null;
    this.stopped = false;
    this.onpicture = () => {};
    new IntersectionObserver((entries) => { this.inView = entries.at(-1).isIntersecting; }, { rootMargin: "100px" }).observe(watched);
    this.next(0);
  }

  allow(allowed) {
    this.allowed = allowed;
    if (!allowed) this.drop();
  }

  stop() { this.stopped = true; this.drop(); }

  next(wait) {
    if (!this.stopped) setTimeout(() => this.load(), wait);
  }

  async load() {
    if (!this.allowed || !this.inView || document.hidden) { this.freshAt = performance.now(); this.next(EMPTY_MS / 2); return; }
    let wait = EMPTY_MS;
    try {
      const answer = await fetch(this.place, {
        headers: this.tag ? { "If-None-Match": this.tag } : {}, cache: "no-store", signal: AbortSignal.timeout(5000),
      });
      if (answer.status === 200 && answer.headers.get("Content-Type") === "image/jpeg") {
        const tag = answer.headers.get("ETag");
        await this.show(await answer.blob());
        this.tag = tag;
        wait = EVERY_MS;
      } else if (answer.status === 304) {
        wait = EVERY_MS;
      }
    } catch { /* the stream says what is wrong; here it is only a picture less */ }
    if (performance.now() - this.freshAt > OLD_MS) { this.waited = true; this.drop(); }
    this.next(wait);
  }

  async show(blob) {
    const address = URL.createObjectURL(blob);
    const probe = new Image();
    probe.src = address;
    try { await probe.decode(); } catch { URL.revokeObjectURL(address); return; }
    if (!this.allowed) { URL.revokeObjectURL(address); return; }
    const before = this.address;
    this.address = address;
    this.picture.src = `${address}#preview`;
    this.picture.hidden = false;
    if (before) URL.revokeObjectURL(before);
    this.freshAt = performance.now();
    this.showing = true;
    this.waited = false;
    this.onpicture();
  }

  drop() {
    this.tag = null;
    if (!this.showing) { this.onpicture(); return; }
    this.picture.hidden = true;
    this.picture.removeAttribute("src");
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = null;
    this.showing = false;
    this.onpicture();
  }
}
