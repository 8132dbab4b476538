/* Random numbers from a seed: the same in every browser, on every run (sfc32 by Chris Doty-Humphrey, public domain). */
((globalThis.course ??= {}).parts ??= []).push((lib) => {
  lib.Random = class Random {
    /* seed: any whole number; stream: another number gives an independent sequence. */
    constructor(seed, stream = 0) {
      [this.a, this.b, this.c, this.counter] = [seed | 0, stream | 0, 0x9e3779b9 | 0, 1];
      for (let i = 0; i < 15; i++) this.bits();
    }

    /* 32 random bits, from 0 to 2^32 - 1. */
    bits() {
      const sum = (((this.a + this.b) | 0) + this.counter) | 0;
      this.counter = (this.counter + 1) | 0;
      this.a = this.b ^ (this.b >>> 9);
      this.b = (this.c + (this.c << 3)) | 0;
      this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0;
      return sum >>> 0;
    }

    /* In [0, 1). */
    unit() {
      return this.bits() / 4294967296;
    }

    /* A whole number in [0, limit). */
    below(limit) {
      return Math.floor(this.unit() * limit);
    }

    shuffle(list) {
      for (let i = list.length - 1; i > 0; i--) {
        const j = this.below(i + 1);
        [list[i], list[j]] = [list[j], list[i]];
      }
      return list;
    }
  };
});
