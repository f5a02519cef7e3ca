import { type Arguments, BrokerError, DIALECT_AMQP091 } from '@chapar/core';
import { PropertyScan, scanProperties } from './codec/index.js';
import { propertiesOfJson } from './dialect.js';
import { expirationOf } from './publish.js';

/** How a message that did not come over AMQP (published over HTTP, say) is written down in this dialect. */
export const amqp091Form = {
  dialect: DIALECT_AMQP091,

  /** From the names of the management API (`content_type`, `headers`, ...). Throws RangeError, naming what does not fit. */
  encode(json: Arguments) {
    const properties = propertiesOfJson(json);
    const scan = new PropertyScan();
    scanProperties(properties, 0, properties.length, scan);
    return {
      properties,
      persistent: scan.deliveryMode === 2,
      priority: scan.priority,
      expirationMs: expirationInJson(properties, scan),
    };
  },
};

function expirationInJson(properties: Buffer, scan: PropertyScan): number {
  try {
    return expirationOf(properties, scan);
  } catch (error) {
    if (error instanceof BrokerError) throw new RangeError(error.message);
    throw error;
  }
}
