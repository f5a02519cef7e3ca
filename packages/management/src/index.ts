export * from './cluster/membership.js';
export * from './cluster/mirrored-queues.js';
export type { EncodedProperties, MessageForm } from './form.js';
export { HttpPorts } from './http-ports.js';
export { createManagement, Management } from './management.js';
export type { ListeningAddress, ManagementOptions } from './options.js';
export { methods, type Need, type Route } from './route.js';
export { allRoutes } from './routes.js';
