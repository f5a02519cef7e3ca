/** Why a node may not be part of the cluster that it was pointed to. */
export type JoinRefusal =
  | 'foreign-cluster'
  | 'empty-etcd'
  | 'older-etcd'
  | 'newer-format'
  | 'damaged-file'
  | 'forgotten'
  | 'has-content'
  | 'etcd-refuses';

/** The text is for people: what is the matter, and the way out. */
export class JoinRefusedError extends Error {
  readonly reason: JoinRefusal;

  constructor(reason: JoinRefusal, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
