import {
  type Consumer,
  type EffectivePolicy,
  type Heir,
  type Incarnation,
  type Mirroring,
  mirroringWish,
  noPolicy,
  noRules,
  type Queue,
  type QueueProperties,
  type Residence,
  removeQueue,
  type SharedKeyedLog,
  type SharedQueue,
  type Topology,
  type Write,
} from '@chapar/core';

/** The face of a mirrored queue as far as the topology goes: nothing is asked of it but its name. */
export class FaceStub implements Heir {
  readonly name: string;
  readonly incarnation: Incarnation;
  readonly properties: QueueProperties;
  readonly home = null;
  readonly logs = true;
  readonly mayRefuse = true;
  readonly rules = noRules;
  policy: EffectivePolicy = noPolicy;
  deleted = false;

  constructor(properties: QueueProperties) {
    this.name = properties.name;
    this.incarnation = properties.incarnation;
    this.properties = properties;
  }

  applyPolicy(policy: EffectivePolicy): void {
    this.policy = policy;
  }

  assertReachable(): void {}
  used(): void {}

  delete(): void {
    this.deleted = true;
  }

  enqueue = this.unasked;
  counts = this.unasked;
  purge = this.unasked;
  get = this.unasked;

  attach(): Consumer {
    throw this.unasked();
  }

  inherit(): null {
    return null;
  }

  holder(): Consumer {
    throw this.unasked();
  }

  private unasked(): never {
    throw new Error('nobody asks a stub');
  }
}

/** Three nodes seen from one of them, which leads whatever a test says; only what the topology asks about mirrored queues is here. */
export class MirroringResidence implements Residence {
  readonly here = 'node-1';
  readonly tag = 'node1';
  readonly process = 'process-1';
  /** Set by the test once it is there. */
  topology: Topology | null = null;
  readonly announced: string[] = [];
  /** What guards of the records of copies name besides. */
  session: { readonly key: string; readonly revision: 'present' } | null = null;

  place(): string {
    return this.here;
  }

  mirrored(properties: QueueProperties, policy: EffectivePolicy): Mirroring | null {
    const wish = mirroringWish(properties, policy.definition);
    if (wish === null) return null;
    const copies = Array.isArray(wish.copies) ? wish.copies : wish.copies === 'all' ? 3 : wish.copies;
    return {
      guards: this.session === null ? [] : [this.session],
      writes: [{ key: `mirrors/${properties.incarnation}`, value: { copies, min: wish.min } }],
    };
  }

  face(properties: QueueProperties): FaceStub {
    return new FaceStub(properties);
  }

  succeeded(queue: SharedQueue): FaceStub | null {
    return queue instanceof FaceStub ? null : new FaceStub(queue.properties);
  }

  companions({ incarnation }: { readonly incarnation: Incarnation }): readonly Write[] {
    return [{ key: `mirrors/${incarnation}`, value: undefined }];
  }

  /** As another node's question arrives at the one that leads. */
  async deleteAtHome(
    { name, properties }: SharedQueue,
    conditions: { readonly ifUnused: boolean; readonly ifEmpty: boolean },
  ): Promise<number> {
    const vhost = this.topology!.vhosts.get(properties.vhost)!;
    const led = vhost.localQueue(name);
    if (led === undefined) throw new Error('nobody leads it');
    return removeQueue(this.topology!, vhost, led, conditions);
  }

  queueAdded({ name }: Queue): void {
    this.announced.push(name);
  }

  queueDropped(): void {}
  bindingAdded(): void {}
  bindingDropped(): void {}
  endBound(): void {}
  endUnbound(): void {}
  answer(): void {}

  isProcessThere(process: string): boolean {
    return process === this.process;
  }

  ask(): Promise<never> {
    return Promise.reject(new Error('nobody is there to be asked'));
  }

  askAll(): Promise<never[]> {
    return Promise.resolve([]);
  }

  seen(): void {}
  hasKnown = () => true;
  directEnd = () => null;
  claim = async () => true;
  hasDirectEnd = async () => false;

  elsewhere(): SharedQueue {
    throw new Error('there are mirrored queues and queues of this node');
  }

  async keyedLog(): Promise<SharedKeyedLog> {
    throw new Error('nobody keeps anything under keys');
  }

  async bindAtHome(): Promise<void> {
    throw new Error('all queues have records');
  }

  async unbindAtHome(): Promise<void> {
    throw new Error('all queues have records');
  }
}
