// Finds the bursts of the ruler in samples, wherever they are taken: in the audio thread
// of a page (tap.js), at its microphone and in what it receives (studio.js). It goes into
// a page before its own scripts, and as text into worklets.
globalThis.longwaveBursts = class Bursts {
  static tones = [2000, 2600, 3400, 4400, 5800]; // as in bursts/main.go
  static ONSET = 0.4; // between the bed's peaks and those of a burst
  static WINDOW = 256;

  /** found is told the tone's number and the frame at which it began. */
  constructor(rate, found) {
    this.rate = rate;
    this.found = found;
    this.window = new Float32Array(Bursts.WINDOW);
    this.filled = 0;
    this.onset = -1; // frame at which a burst began, while its tone is not known
    this.quietUntil = -Infinity; // a burst is reported once
  }

  /** Takes samples, the first of which is that frame. */
  take(x, first) {
    for (let i = 0; i < x.length; i++) {
      const frame = first + i;
      if (this.onset < 0) {
        if (Math.abs(x[i]) < Bursts.ONSET || frame < this.quietUntil) continue;
        this.onset = frame;
        this.filled = 0;
      }
      this.window[this.filled++] = x[i];
      if (this.filled === Bursts.WINDOW) this.name();
    }
  }

  name() {
    const power = Bursts.tones.map((hz) => this.power(hz));
    const best = power.indexOf(Math.max(...power));
    if (power[best] > 0.5) {
      this.found(best, this.onset);
      this.quietUntil = this.onset + this.rate / 2;
    }
    this.onset = -1;
  }

  /** The tone's share of the window's power (Goertzel). */
  power(hz) {
    const c = 2 * Math.cos((2 * Math.PI * hz) / this.rate);
    let [a, b, sum] = [0, 0, 0];
    for (const v of this.window) {
      [a, b] = [v + c * a - b, a];
      sum += v * v;
    }
    return (a * a + b * b - c * a * b) / ((sum * Bursts.WINDOW) / 2);
  }
};
