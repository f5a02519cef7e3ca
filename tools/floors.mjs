// The one table of floors (docs/ARCHITECTURE.md): a package imports packages of lower floors only, never its neighbours.
export const floors = [
  ['bytes'],
  ['platform'],
  ['core'],
  ['store', 'cluster', 'auth'],
  ['amqp091', 'amqp10', 'mqtt', 'stomp', 'zmtp', 'management'],
  ['server'],
];

/** The floor's number, or -1 for a package that stands on none. */
export function floorOf(name) {
  return floors.findIndex((names) => names.includes(name));
}
