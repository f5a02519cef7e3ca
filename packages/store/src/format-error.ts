/** A file was written by a newer broker; reading it by the rules of this one could lose messages. */
export class NewerFormatError extends Error {
  constructor(path: string, found: number, known: number) {
    super(
      `${path} has format version ${found}; this broker reads versions up to ${known}. ` +
        'Start the broker version that wrote it, or a newer one.',
    );
  }
}

/** An entry of a kind that this broker does not know: folding on without it would be a guess. */
export class UnknownEntryError extends Error {
  constructor(path: string, offset: number, what: string) {
    super(
      `${path} has ${what} at offset ${offset}, which this broker does not know. ` +
        'Start the broker version that wrote it, or a newer one.',
    );
  }
}

/** A healthy file that belongs to another data directory or was renamed. */
export class ForeignFileError extends Error {
  constructor(path: string) {
    super(`${path} belongs to another data directory or was renamed; put the file back where it came from`);
  }
}

/** Something that had been promised cannot be read, and going on without it would do more harm than stopping. */
export class DamagedFileError extends Error {
  readonly path: string;
  /** Where the damage begins, bytes from the start of the file. */
  readonly offset: number;
  constructor(path: string, offset: number, advice: string) {
    super(`${path} is damaged at offset ${offset}. ${advice}`);
    this.path = path;
    this.offset = offset;
  }
}
