/**
 * The content of a named part of a form that was uploaded (multipart/form-data, RFC 7578): browsers send files so. Null when the type
 * is another or there is no such part.
 */
export function formPart(contentType: string | undefined, body: Buffer, name: string): Buffer | null {
  const [, quoted, plain] =
    /^multipart\/form-data\b.*\bboundary=(?:"([^"]+)"|([^\s;]+))/i.exec(contentType ?? '') ?? [];
  const boundary = quoted ?? plain;
  if (boundary === undefined) return null;
  const delimiter = Buffer.from(`--${boundary}`);
  let from = body.indexOf(delimiter);
  while (from !== -1) {
    const start = from + delimiter.length;
    const next = body.indexOf(delimiter, start);
    if (next === -1) return null;
    const part = body.subarray(start, next);
    const headEnd = part.indexOf('\r\n\r\n');
    const head = headEnd === -1 ? '' : part.toString('utf8', 0, headEnd);
    if (/^content-disposition:.*[;\s]name="([^"]*)"/im.exec(head)?.[1] === name) {
      return part.subarray(headEnd + 4, part.length - 2);
    }
    from = next;
  }
  return null;
}
