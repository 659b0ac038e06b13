// Light and dark told from what stands around: print near a glare, beside a thumb, in shadow or noise is print again.

/** A place is compared with the square around it, so many pixels each way: three modules of a badge held as one reads. */
const AROUND = 10;
/** It is itself the mean of its neighbours: noise is one pixel wide. */
const PLACE = 1;
/** How much a difference grows. */
const GAIN = 4;
const MIDDLE = 128;

/**
 * Makes a relief of the picture, in place.
 * @param {ImageData} image
 */
export function relieve({ data, width, height }) {
  const sums = summed(data, width, height);
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 4) {
      const light = MIDDLE + GAIN * (mean(sums, width, height, x, y, PLACE) - mean(sums, width, height, x, y, AROUND));
      data[at] = data[at + 1] = data[at + 2] = light;
    }
  }
}

/** @param {Uint32Array} sums @param {number} width @param {number} height @param {number} x @param {number} y @param {number} by */
function mean(sums, width, height, x, y, by) {
  const left = Math.max(0, x - by);
  const right = Math.min(width, x + by + 1);
  const top = Math.max(0, y - by);
  const bottom = Math.min(height, y + by + 1);
  const above = top * (width + 1);
  const below = bottom * (width + 1);
  return (sums[below + right] - sums[above + right] - sums[below + left] + sums[above + left]) / ((right - left) * (bottom - top));
}

/**
 * What stands above and to the left of each corner of each pixel, added up. Green is brightness enough.
 * @param {Uint8ClampedArray} data @param {number} width @param {number} height
 */
function summed(data, width, height) {
  const sums = new Uint32Array((width + 1) * (height + 1));
  for (let y = 0, from = 1; y < height; y += 1) {
    let line = 0;
    for (let x = 0, at = (y + 1) * (width + 1) + 1; x < width; x += 1, at += 1, from += 4) {
      line += data[from];
      sums[at] = sums[at - width - 1] + line;
    }
  }
  return sums;
}
