import type { PermissionRecord, TopicPermissionRecord } from '@chapar/core';
import type { Row } from './counters.js';

export interface Permitted {
  readonly vhost: string;
  readonly user: string;
  readonly record: PermissionRecord;
}

export interface TopicPermitted {
  readonly vhost: string;
  readonly user: string;
  readonly exchange: string;
  readonly record: TopicPermissionRecord;
}

export function permissionJson({ vhost, user, record: { configure, write, read } }: Permitted): Row {
  return { user, vhost, configure, write, read };
}

export function topicPermissionJson({ vhost, user, exchange, record: { write, read } }: TopicPermitted): Row {
  return { user, vhost, exchange, write, read };
}
