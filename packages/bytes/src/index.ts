export { crc32c } from './crc32c.js';
export { ByteReader, ByteWriter, CursorError } from './cursor.js';
export { isValidUtf8, truncateUtf8 } from './utf8.js';
export { readVarint, VARINT_BYTES_MAX, varintLength, writeVarint } from './varint.js';
