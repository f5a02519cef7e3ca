import { ByteReader, ByteWriter } from '@chapar/bytes';
import { CodecError, type CodecErrorKind } from './errors.js';

/** Reads what a peer sent; whatever does not fit is the peer's error, of the kind that `kind` says at that moment. */
export class CodecReader extends ByteReader {
  kind: CodecErrorKind;

  constructor(buffer: Buffer, start: number, end: number, kind: CodecErrorKind) {
    super(buffer, start, end);
    this.kind = kind;
  }

  override fail(message: string): never {
    throw new CodecError(this.kind, message);
  }
}

/** Writes frames; a value that its field cannot hold is a `syntax` error. */
export class CodecWriter extends ByteWriter {
  override fail(message: string): never {
    throw new CodecError('syntax', message);
  }
}
