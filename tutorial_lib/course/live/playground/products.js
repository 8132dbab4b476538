/* Products of matrices: by a WebAssembly module that multiplies four numbers at a time, or in plain JavaScript.

   Both hand out memory by `alloc` and compute, for i < rows and j < columns, with steps counted in numbers,

     c[i cRow + j] (+)= sum over p < inner of a[i aRow + p aInner] b[p bRow + j];   rows % 4 == 0, columns % 8 == 0 */
((globalThis.course ??= {}).parts ??= []).push((lib) => {
  const PAGE = 65536, BYTES = 4, LINE = 16; // of memory, of a number; numbers of a cache line

  /* code: the bytes of `product.wat`, assembled; numbers: how many will be asked for. Throws where the browser forbids
     WebAssembly or does not know its SIMD instructions. */
  lib.fastProducts = (code, numbers) => {
    const memory = new WebAssembly.Memory({ initial: Math.ceil((numbers * BYTES) / PAGE) + 1 });
    const { product } = new WebAssembly.Instance(new WebAssembly.Module(code), { page: { memory } }).exports;
    let used = 0;
    return {
      kind: "WebAssembly SIMD",
      alloc(length) {
        const found = new Float32Array(memory.buffer, used * BYTES, length);
        used += Math.ceil(length / LINE) * LINE;
        return found;
      },
      product(a, b, c, rows, columns, inner, aRow, aInner, bRow, cRow, add = false) {
        product(a.byteOffset, b.byteOffset, c.byteOffset, rows, columns, inner,
          aRow * BYTES, aInner * BYTES, bRow * BYTES, cRow * BYTES, add ? 1 : 0);
      },
    };
  };

  /* The same in plain JavaScript, with which a step takes about five times as long: tiles of 4 x 4, so that a number read is used four times. */
  lib.plainProducts = () => ({
    kind: "JavaScript",
    alloc: (length) => new Float32Array(length),
    product(a, b, c, rows, columns, inner, aRow, aInner, bRow, cRow, add = false) {
      const sums = new Float64Array(16);
      for (let i = 0; i < rows; i += 4) {
        for (let j = 0; j < columns; j += 4) {
          let s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0;
          let s20 = 0, s21 = 0, s22 = 0, s23 = 0, s30 = 0, s31 = 0, s32 = 0, s33 = 0;
          for (let p = 0, at = i * aRow, from = j; p < inner; p++, at += aInner, from += bRow) {
            const b0 = b[from], b1 = b[from + 1], b2 = b[from + 2], b3 = b[from + 3];
            let x = a[at];
            s00 += x * b0; s01 += x * b1; s02 += x * b2; s03 += x * b3;
            x = a[at + aRow];
            s10 += x * b0; s11 += x * b1; s12 += x * b2; s13 += x * b3;
            x = a[at + 2 * aRow];
            s20 += x * b0; s21 += x * b1; s22 += x * b2; s23 += x * b3;
            x = a[at + 3 * aRow];
            s30 += x * b0; s31 += x * b1; s32 += x * b2; s33 += x * b3;
          }
          sums.set([s00, s01, s02, s03, s10, s11, s12, s13, s20, s21, s22, s23, s30, s31, s32, s33]);
          for (let k = 0; k < 16; k++) {
            const to = (i + (k >> 2)) * cRow + j + (k & 3);
            c[to] = add ? c[to] + sums[k] : sums[k];
          }
        }
      }
    },
  });
});
