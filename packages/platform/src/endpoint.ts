import type { Endpoint } from './network.js';

/** `127.0.0.1:5672`, `[::1]:5672`. */
export function endpointText({ address, port }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
