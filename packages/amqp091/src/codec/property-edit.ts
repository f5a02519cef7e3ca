import { CodecReader, CodecWriter } from './cursor.js';
import type { FieldTable } from './field-value.js';
import {
  type BasicProperties,
  checkedFlags,
  PROPERTIES,
  type PropertyKind,
  type PropertyName,
  writeProperty,
} from './properties.js';

/** A property to replace, or with null to remove; `headers` also as encoded entries (see `editTable`). */
export type PropertyChanges = {
  readonly [Name in PropertyName]?: BasicProperties[Name] | (Name extends 'headers' ? Buffer : never) | null;
};

/**
 * The property list `buf[start..end)` with `changes`; what they do not name stays byte for byte.
 * Throws CodecError (syntax) on a malformed list or a value that does not fit its field.
 */
export function rewriteProperties(buf: Buffer, start: number, end: number, changes: PropertyChanges): Buffer {
  const reader = new CodecReader(buf, start, end, 'syntax');
  const flags = checkedFlags(reader.u16());
  const writer = new CodecWriter(end - start + 64);
  writer.u16(changedFlags(flags, changes));
  for (const [name, flag, kind] of PROPERTIES) {
    const from = reader.position;
    if ((flags & flag) !== 0) skipProperty(reader, kind);
    const change = changes[name];
    if (change === undefined) writer.append(buf.subarray(from, reader.position));
    else if (change !== null) writeChange(writer, kind, change);
  }
  if (reader.remaining > 0) reader.fail(`${reader.remaining} bytes after the last property`);
  return writer.bytes();
}

function changedFlags(flags: number, changes: PropertyChanges): number {
  let changed = flags;
  for (const [name, flag] of PROPERTIES) {
    const change = changes[name];
    if (change !== undefined) changed = change === null ? changed & ~flag : changed | flag;
  }
  return changed;
}

function writeChange(writer: CodecWriter, kind: PropertyKind, change: string | number | bigint | FieldTable | Buffer) {
  if (change instanceof Uint8Array) writer.longString(change as Buffer);
  else writeProperty(writer, kind, change);
}

function skipProperty(reader: CodecReader, kind: PropertyKind): void {
  if (kind === 'shortstr') reader.skip(reader.u8());
  else if (kind === 'octet') reader.skip(1);
  else if (kind === 'timestamp') reader.skip(8);
  else reader.skip(reader.u32());
}
