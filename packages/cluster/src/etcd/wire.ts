import type { ICompare, IKeyValue, IRequestOp, IResponseOp, ITxnRequest, ITxnResponse, IWatchResponse } from 'etcd3';
import type { EtcdCompare, EtcdEntry, EtcdEvent, EtcdOp, EtcdOpResult, EtcdTxn, EtcdTxnResult } from './etcd.js';

/** Our plain values as etcd's messages, and back. Numbers of 64 bits come as text; revisions fit into a double for 285 years of a million a second. */

export function encodeTxn({ compare, success, failure }: EtcdTxn): ITxnRequest {
  return { compare: compare.map(encodeCompare), success: success.map(encodeOp), failure: failure.map(encodeOp) };
}

function encodeCompare({ key, end, of, is, revision }: EtcdCompare): ICompare {
  const result = is === 'equal' ? 'Equal' : 'NotEqual';
  const range = end === undefined ? {} : { range_end: Buffer.from(end) };
  const common = { key: Buffer.from(key), result, ...range } as const;
  return of === 'create'
    ? { ...common, target: 'Create', create_revision: revision }
    : { ...common, target: 'Mod', mod_revision: revision };
}

function encodeOp(op: EtcdOp): IRequestOp {
  switch (op.kind) {
    case 'put':
      return { request_put: { key: Buffer.from(op.key), value: Buffer.from(op.value), lease: op.lease ?? 0 } };
    case 'delete':
      return { request_delete_range: { key: Buffer.from(op.key) } };
    case 'get':
      return { request_range: { key: Buffer.from(op.key) } };
    case 'txn':
      return { request_txn: encodeTxn(op.txn) };
  }
}

export function decodeTxn(response: ITxnResponse, revision: number = Number(response.header.revision)): EtcdTxnResult {
  const { succeeded, responses } = response;
  return { revision, succeeded, results: responses.map((each) => decodeOp(each, revision)) };
}

/** Nested transactions have no revision of their own. */
function decodeOp({ response_range: range, response_txn: txn }: IResponseOp, revision: number): EtcdOpResult {
  if (txn) return decodeTxn(txn, revision);
  const found = range?.kvs[0];
  return found === undefined ? null : decodeEntry(found);
}

export function decodeEntry({ key, value, create_revision, mod_revision }: IKeyValue): EtcdEntry {
  return {
    key: key.toString(),
    value: value.toString(),
    createRevision: Number(create_revision),
    modRevision: Number(mod_revision),
  };
}

export function decodeEvents({ events }: IWatchResponse): EtcdEvent[] {
  return events.map(({ type, kv }) => {
    const entry = decodeEntry(kv);
    return { ...entry, value: type === 'Delete' ? undefined : entry.value };
  });
}

/** The first key behind all that begin with `prefix`, as etcd's ranges want it. */
export function endOfPrefix(prefix: string): Buffer {
  const end = Buffer.from(prefix);
  for (let i = end.length - 1; i >= 0; i--) {
    if (end[i]! === 0xff) continue;
    end[i]!++;
    return end.subarray(0, i + 1);
  }
  return Buffer.from([0]);
}
