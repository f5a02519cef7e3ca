// Small pictures without any library: PPM (type P6), that is a short text header and three bytes a pixel.

/** Draws a wall with `faces` faces on it; about 102 KiB. */
export function drawPicture(faces, width = 208, height = 168) {
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) paint(pixels, width, x, y, [x % 64, 90 + (y % 64), 160]);
  }
  for (let face = 0; face < faces; face++) {
    const centreX = 24 + (face % 5) * 40;
    const centreY = 24 + Math.floor(face / 5) * 40;
    disk(pixels, width, centreX, centreY, 14, [224, 172, 105]);
    disk(pixels, width, centreX - 5, centreY - 4, 2, [20, 20, 20]);
    disk(pixels, width, centreX + 5, centreY - 4, 2, [20, 20, 20]);
  }
  return Buffer.concat([Buffer.from(`P6\n${width} ${height}\n255\n`), pixels]);
}

function disk(pixels, width, centreX, centreY, radius, colour) {
  for (let y = centreY - radius; y <= centreY + radius; y++) {
    for (let x = centreX - radius; x <= centreX + radius; x++) {
      if ((x - centreX) ** 2 + (y - centreY) ** 2 <= radius ** 2) paint(pixels, width, x, y, colour);
    }
  }
}

function paint(pixels, width, x, y, colour) {
  pixels.set(colour, (y * width + x) * 3);
}

/** Reads a P6 picture, or throws. */
export function readPicture(file) {
  const header = /^P6\s(\d+) (\d+)\s255\s/.exec(file.subarray(0, 32).toString('latin1'));
  if (header === null) throw new Error('this is no P6 picture');
  const [width, height] = [Number(header[1]), Number(header[2])];
  const pixels = file.subarray(header[0].length);
  if (pixels.length !== width * height * 3) throw new Error('the picture is cut off');
  return { width, height, pixels };
}

/** A picture `factor` times smaller each way: every pixel is the mean of the square that it stands for. */
export function shrink(file, factor) {
  const { width, height, pixels } = readPicture(file);
  const [smallWidth, smallHeight] = [Math.floor(width / factor), Math.floor(height / factor)];
  const small = Buffer.alloc(smallWidth * smallHeight * 3);
  for (let at = 0; at < small.length; at++) {
    const pixel = Math.floor(at / 3);
    const [left, top] = [(pixel % smallWidth) * factor, Math.floor(pixel / smallWidth) * factor];
    let sum = 0;
    for (let y = top; y < top + factor; y++) {
      for (let x = left; x < left + factor; x++) sum += pixels[(y * width + x) * 3 + (at % 3)];
    }
    small[at] = Math.floor(sum / factor ** 2);
  }
  return Buffer.concat([Buffer.from(`P6\n${smallWidth} ${smallHeight}\n255\n`), small]);
}

/**
 * Finds faces by an honest and simple rule: a face is a connected patch of skin colour (red over 200, green 140 to 200,
 * blue under 130) that is at least 10 pixels wide and high and whose frame holds exactly two dark patches, the eyes.
 */
export function findFaces(file) {
  const picture = readPicture(file);
  const isSkin = (r, g, b) => r > 200 && g >= 140 && g <= 200 && b < 130;
  const isDark = (r, g, b) => r < 50 && g < 50 && b < 50;
  const whole = { left: 0, top: 0, right: picture.width - 1, bottom: picture.height - 1 };
  return patches(picture, whole, isSkin).filter(
    (patch) =>
      patch.right - patch.left >= 9 && patch.bottom - patch.top >= 9 && patches(picture, patch, isDark).length === 2,
  );
}

/** The frames of the connected patches, inside `frame`, of pixels that `wanted` accepts. */
function patches({ width, pixels }, frame, wanted) {
  const seen = new Set();
  const isOpen = (x, y) => {
    if (x < frame.left || x > frame.right || y < frame.top || y > frame.bottom || seen.has(y * width + x)) return false;
    const at = (y * width + x) * 3;
    return wanted(pixels[at], pixels[at + 1], pixels[at + 2]);
  };
  const found = [];
  for (let y = frame.top; y <= frame.bottom; y++) {
    for (let x = frame.left; x <= frame.right; x++) {
      if (isOpen(x, y)) found.push(flood(x, y, isOpen, (px, py) => seen.add(py * width + px)));
    }
  }
  return found;
}

function flood(startX, startY, isOpen, mark) {
  const patch = { left: startX, top: startY, right: startX, bottom: startY };
  const next = [[startX, startY]];
  while (next.length > 0) {
    const [x, y] = next.pop();
    if (!isOpen(x, y)) continue;
    mark(x, y);
    patch.left = Math.min(patch.left, x);
    patch.top = Math.min(patch.top, y);
    patch.right = Math.max(patch.right, x);
    patch.bottom = Math.max(patch.bottom, y);
    next.push([x + 1, y], [x - 1, y], [x, y + 1], [x, y - 1]);
  }
  return patch;
}
