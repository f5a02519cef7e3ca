import type { Broker, VirtualHost } from '@chapar/core';
import type { Fields } from '../fields.js';
import { badRequest } from '../problem.js';
import type { Said } from '../said.js';

/** What an import works on. */
export interface ImportTarget {
  readonly broker: Broker;
  readonly said: Said;
  /** The virtual host of definitions that name none: those of a file of one virtual host. */
  readonly vhost: VirtualHost | null;
}

/** The virtual host that a definition names, or that the file is of. */
export function vhostOf({ broker, vhost }: ImportTarget, fields: Fields): VirtualHost {
  if (vhost !== null) return vhost;
  fields.require('vhost');
  const found = broker.topology.vhosts.get(fields.text('vhost', ''));
  if (found === undefined) throw badRequest(`no_such_vhost: '${fields.text('vhost', '')}'`);
  return found;
}
