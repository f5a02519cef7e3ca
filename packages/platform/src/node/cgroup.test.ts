import { expect, it } from 'vitest';
import { cgroupMemoryBytes } from './cgroup.js';

const of = (files: Readonly<Record<string, string>>) => cgroupMemoryBytes((path) => files[path] ?? null);

it('takes the smallest limit on the way up, of version 2', () => {
  const files = {
    '/proc/self/cgroup': '0::/kubepods/pod1/box\n',
    '/sys/fs/cgroup/kubepods/pod1/box/memory.max': 'max\n',
    '/sys/fs/cgroup/kubepods/pod1/memory.max': '536870912\n',
    '/sys/fs/cgroup/kubepods/memory.max': '8589934592\n',
  };
  expect(of(files)).toBe(536_870_912);
});

it('reads version 1, whose controllers stand apart', () => {
  const files = {
    '/proc/self/cgroup': '5:devices:/box\n4:cpu,memory:/box\n0::/\n',
    '/sys/fs/cgroup/memory/box/memory.limit_in_bytes': '268435456\n',
    '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
  };
  expect(of(files)).toBe(268_435_456);
});

it("finds a container's own limit at the root when the path is the host's", () => {
  const files = { '/proc/self/cgroup': '0::/../../docker/abc\n', '/sys/fs/cgroup/memory.max': '1073741824\n' };
  expect(of(files)).toBe(1_073_741_824);
});

it('knows of no limit where there is none', () => {
  expect(of({})).toBe(Number.POSITIVE_INFINITY);
  expect(of({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/memory.max': 'max' })).toBe(Number.POSITIVE_INFINITY);
});
