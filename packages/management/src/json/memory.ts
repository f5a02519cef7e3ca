import type { Row } from './counters.js';

/** Where this process's memory is. Bytes; what V8 and the operating system count, since the field's parts are those of an Erlang machine. */
export function memoryJson(): Row {
  const { rss, heapTotal, heapUsed, external, arrayBuffers } = process.memoryUsage();
  return {
    array_buffers: arrayBuffers,
    external,
    heap_total: heapTotal,
    heap_used: heapUsed,
    strategy: 'rss',
    total: { rss },
  };
}
