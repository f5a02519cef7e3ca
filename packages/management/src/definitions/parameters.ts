import { Fields } from '../fields.js';
import { readLimit, vhostLimits } from '../limit.js';
import { readPolicy } from '../policy.js';
import { parametersDoNotAct } from '../said.js';
import { type ImportTarget, vhostOf } from './target.js';

/** RabbitMQ keeps limits of virtual hosts and operator policies among the parameters, and exports them as such. */
export async function importParameter(target: ImportTarget, fields: Fields): Promise<void> {
  fields.require('component', 'name', 'value');
  const { name: vhost } = vhostOf(target, fields);
  const { records } = target.broker;
  const component = fields.text('component', '');
  const name = fields.text('name', '');
  if (component === 'vhost-limits') return importLimits(target, vhost, new Fields(fields.table('value')));
  if (component === 'operator_policy') {
    const policy = readPolicy('operator_policy', new Fields(fields.table('value')));
    await records.put('operator-policies', [vhost, name], policy);
    return;
  }
  await records.put('parameters', [component, vhost, name], fields.value('value')!);
  target.said.warn({ component, vhost, parameter: name }, parametersDoNotAct);
}

async function importLimits({ broker }: ImportTarget, vhost: string, limits: Fields): Promise<void> {
  const read = Object.entries(limits.values).map(
    ([name, value]) => [name, readLimit(vhostLimits, name, value)] as const,
  );
  for (const [name, value] of read) await broker.records.put('vhost-limits', [vhost, name], value);
}
