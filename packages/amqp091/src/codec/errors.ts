/**
 * What is wrong with the bytes: `frame`, a frame or a method's arguments do not have their layout (RabbitMQ answers
 * 501 FRAME_ERROR); `syntax`, a field table or a property list is malformed; `unknown-method`, no such class or method.
 */
export type CodecErrorKind = 'syntax' | 'frame' | 'unknown-method';

/** The only error that any input can bring out of this codec. */
export class CodecError extends Error {
  override readonly name = 'CodecError';
  readonly kind: CodecErrorKind;
  /** Of an `unknown-method`: class id << 16 | method id, as sent; else 0. */
  readonly id: number;

  constructor(kind: CodecErrorKind, message: string, id = 0) {
    super(message);
    this.kind = kind;
    this.id = id;
  }
}
