import type { JsonValue, StoredRecord } from '@chapar/core';

export function parameterJson({ names: [component, vhost, name], value }: StoredRecord): JsonValue {
  return { value, vhost: vhost!, component: component!, name: name! };
}

export function globalParameterJson({ names: [name], value }: StoredRecord): JsonValue {
  return { name: name!, value };
}
