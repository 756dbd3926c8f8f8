// Pictures, made small enough to go into one message of the socket.

/** More pixels than this no model looks at. */
const EDGE = 1568;
const MOST = 600_000;

/** The picture in a file, as a data URL. */
export async function picture(file: File): Promise<string> {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, EDGE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const png = canvas.toDataURL("image/png");
  if (png.length < MOST) return png;
  for (const quality of [0.85, 0.7, 0.5]) {
    const jpeg = canvas.toDataURL("image/jpeg", quality);
    if (jpeg.length < MOST) return jpeg;
  }
  throw new Error("too large");
}
