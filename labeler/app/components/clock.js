// Attention time: counts while the page is visible and somebody did something in the last minute.

const IDLE = 60000; // milliseconds
const TICK = 1000;
const SIGNS_OF_LIFE = ["pointermove", "pointerdown", "keydown", "wheel", "touchmove"];

export class AttentionClock {
  /** @param {() => void} onTick after every second that counted */
  constructor(onTick) {
    this.seconds = 0;
    this.held = false;
    this.onTick = onTick;
    this.lastSign = this.lastTick = performance.now();
    this.live = () => (this.lastSign = performance.now());
    for (const sign of SIGNS_OF_LIFE) window.addEventListener(sign, this.live, { passive: true, capture: true });
    this.timer = setInterval(() => this.#tick(), TICK);
  }

  /** Start at this many seconds, for a new task or a draft that goes on. */
  reset(seconds = 0) {
    this.seconds = seconds;
    this.lastTick = performance.now();
  }

  /** Stand still until `release`. */
  hold() {
    this.#count();
    this.held = true;
  }

  release() {
    this.#count();
    this.held = false;
  }

  /** Seconds of attention so far, to a tenth. */
  read() {
    this.#count();
    return Math.round(this.seconds * 10) / 10;
  }

  stop() {
    clearInterval(this.timer);
    for (const sign of SIGNS_OF_LIFE) window.removeEventListener(sign, this.live, { capture: true });
  }

  #count() {
    const now = performance.now();
    const awake = !this.held && document.visibilityState === "visible" && now - this.lastSign < IDLE;
    // A sleeping laptop or a throttled tab makes one long tick: it counts as two at most.
    if (awake) this.seconds += Math.min(now - this.lastTick, 2 * TICK) / 1000;
    this.lastTick = now;
    return awake;
  }

  #tick() {
    if (this.#count()) this.onTick();
  }
}
