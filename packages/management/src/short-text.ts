import { badRequest } from './problem.js';

/** AMQP's short strings (0-9-1 §4.2.5.3) have at most this many bytes; what is longer could be declared here and never be named there. */
const bytesMax = 255;
/** Half a character, which JSON can say (`"\ud800"`) and UTF-8 cannot. */
const halfCharacter = /\p{Surrogate}/u;

/** The text, or 400 when it is too long to be a name or a key, or is not Unicode text. */
export function shortText(what: string, text: string): string {
  if (halfCharacter.test(text)) throw badRequest(`${what} holds half a character (a lone surrogate)`);
  const bytes = Buffer.byteLength(text);
  if (bytes <= bytesMax) return text;
  throw badRequest(`${what} has at most ${bytesMax} bytes, got ${bytes}`);
}
