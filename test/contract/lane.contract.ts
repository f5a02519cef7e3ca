import type { GreetedLane, Greeter, Greeting, Lane, LaneKind, LaneSink, PeerTransport } from '@chapar/cluster';
import { greetAsAcceptor, greetAsOpener, linkVersions } from '@chapar/cluster';
import type { Clock } from '@chapar/platform';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

/** Two nodes that can reach each other. */
export interface LaneSubject {
  readonly clock: Clock;
  readonly opener: PeerTransport;
  readonly acceptor: PeerTransport;
  /** Where the acceptor is to listen, and how the opener reaches it there. */
  readonly host: string;
  readonly port: number;
  address(port: number): string;
  settle<T>(promise: Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** What came over a lane. */
class Heard implements LaneSink {
  readonly batches: Buffer[] = [];
  drains = 0;
  reason: string | null = null;
  private wake: () => void = () => undefined;

  received(batch: Buffer): void {
    this.batches.push(batch);
    this.wake();
  }

  drained(): void {
    this.drains++;
    this.wake();
  }

  closed(reason: string): void {
    this.reason = reason;
    this.wake();
  }

  async until(what: () => boolean): Promise<void> {
    while (!what()) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  get text(): string[] {
    return this.batches.map(String);
  }
}

/** What every transport between nodes does. */
export function laneContract(name: string, create: () => Promise<LaneSubject>): void {
  describe(name, () => {
    let subject: LaneSubject;
    let port: number;
    let accepted: { kind: LaneKind; lane: Lane }[];
    let onAccept: () => void;

    beforeEach(async () => {
      subject = await create();
      accepted = [];
      onAccept = () => undefined;
      const listener = await subject.acceptor.listen(subject.host, subject.port, (kind, lane) => {
        accepted.push({ kind, lane });
        onAccept();
      });
      port = listener.port;
    });
    afterEach(() => subject.close());

    const settle = <T>(promise: Promise<T>) => subject.settle(promise);
    const connect = (kind: LaneKind = 'bulk') => subject.opener.connect(subject.address(port), kind);
    /** A lane with both ends open. */
    const pair = async (kind: LaneKind = 'bulk') => {
      const arrived = new Promise<void>((resolve) => {
        onAccept = resolve;
      });
      const near = connect(kind);
      const [nearHeard, farHeard] = [new Heard(), new Heard()];
      near.open(nearHeard);
      near.send(Buffer.from('first'));
      await settle(arrived);
      const far = accepted.at(-1)!.lane;
      far.open(farHeard);
      await settle(farHeard.until(() => farHeard.batches.length === 1));
      farHeard.batches.length = 0;
      return { near, far, nearHeard, farHeard };
    };
    const greeter = (node: string, secret: string | null, changes: Partial<Greeting> = {}): Greeter => ({
      clock: subject.clock,
      secret,
      greeting: () => ({ cluster: 'c', node, session: 7, ...linkVersions, nonce: node.repeat(4), ...changes }),
    });
    const greet = async (opener: Greeter, acceptor: Greeter): Promise<PromiseSettledResult<GreetedLane>[]> => {
      const far = new Promise<GreetedLane>((resolve, reject) => {
        onAccept = () => greetAsAcceptor(acceptor, accepted.at(-1)!.lane).then(resolve, reject);
      });
      return settle(Promise.allSettled([greetAsOpener(opener, connect('control')), far]));
    };
    const reasons = (results: PromiseSettledResult<unknown>[]) =>
      results.map((result) => (result.status === 'rejected' ? String(result.reason) : 'fulfilled'));

    it('brings what is sent, whole and in order, both ways', async () => {
      const { near, far, nearHeard, farHeard } = await pair();
      for (let i = 0; i < 500; i++) {
        near.send(Buffer.from(`to ${i}`));
        far.send(Buffer.from(`fro ${i}`));
      }
      await settle(farHeard.until(() => farHeard.batches.length === 500));
      await settle(nearHeard.until(() => nearHeard.batches.length === 500));
      expect(farHeard.text).toEqual(Array.from({ length: 500 }, (_, i) => `to ${i}`));
      expect(nearHeard.text).toEqual(Array.from({ length: 500 }, (_, i) => `fro ${i}`));
    });

    it('brings large batches and empty ones', async () => {
      const { far, nearHeard } = await pair();
      const large = Buffer.alloc(20 * 1024 * 1024, 7);
      far.send(large);
      far.send(Buffer.alloc(0));
      far.send(Buffer.from('behind'));
      await settle(nearHeard.until(() => nearHeard.batches.length === 3));
      expect(nearHeard.batches[0]!.equals(large)).toBe(true);
      expect(nearHeard.batches[1]!.length).toBe(0);
      expect(String(nearHeard.batches[2])).toBe('behind');
    });

    it('tells a fast sender to wait, and when to go on', async () => {
      const { far, farHeard, nearHeard } = await pair();
      const batch = Buffer.alloc(64 * 1024);
      let sent = 0;
      for (let round = 0; round < 5; round++) {
        while (far.send(batch)) sent++;
        sent++;
        const { drains } = farHeard;
        await settle(farHeard.until(() => farHeard.drains > drains));
      }
      await settle(nearHeard.until(() => nearHeard.batches.length === sent));
    });

    it('knows what a lane is for', async () => {
      await pair('control');
      await pair('bulk');
      expect(accepted.map(({ kind }) => kind)).toEqual(['control', 'bulk']);
    });

    it.each(['near', 'far'] as const)('tells both ends when the %s one closes it, each once', async (side) => {
      const ends = await pair();
      ends[side].close('done');
      await settle(ends.nearHeard.until(() => ends.nearHeard.reason !== null));
      await settle(ends.farHeard.until(() => ends.farHeard.reason !== null));
      expect(ends.near.send(Buffer.from('x'))).toBe(false);
      expect(ends.far.send(Buffer.from('x'))).toBe(false);
    });

    it('says that nobody is there', async () => {
      const heard = new Heard();
      const lane = subject.opener.connect(subject.address(1), 'bulk');
      lane.open(heard);
      await settle(heard.until(() => heard.reason !== null));
    });

    it('is greeted, with the secret that both know', async () => {
      const results = await greet(greeter('a', 'secret'), greeter('b', 'secret'));
      const [near, far] = results.map((result) => (result as PromiseFulfilledResult<GreetedLane>).value);
      expect(near).toMatchObject({ peer: { node: 'b', session: 7 }, version: linkVersions.newest });
      expect(far).toMatchObject({ peer: { node: 'a', session: 7 }, version: linkVersions.newest });
      const heard = new Heard();
      near!.lane.open(heard);
      far!.lane.send(Buffer.from('hello'));
      await settle(heard.until(() => heard.batches.length === 1));
      expect(heard.text).toEqual(['hello']);
    });

    it.each([
      ['a wrong secret', greeterOf('b', 'other'), /does not know the secret/],
      ['no secret', greeterOf('b', null), /does not know the secret/],
      ['another cluster', greeterOf('b', 'secret', { cluster: 'd' }), /another cluster/],
      ['our own name', greeterOf('a', 'secret'), /our own name/],
      [
        'versions that we do not speak',
        greeterOf('b', 'secret', { oldest: 8, newest: 9 }),
        /speaks versions \d to \d between nodes, we speak \d to \d/,
      ],
    ])('is refused to a peer with %s', async (_, other, why) => {
      const answered = await greet(greeter('a', 'secret'), other(subject));
      expect(reasons(answered).join()).toMatch(why);
      const asked = await greet(other(subject), greeter('a', 'secret'));
      expect(reasons(asked).join()).toMatch(why);
    });

    it('is refused to somebody who speaks something else', async () => {
      const far = new Promise<unknown>((resolve) => {
        onAccept = () => greetAsAcceptor(greeter('b', null), accepted.at(-1)!.lane).catch(resolve);
      });
      const lane = connect();
      const heard = new Heard();
      lane.open(heard);
      lane.send(Buffer.from('GET / HTTP/1.1'));
      expect(String(await settle(far))).toMatch('does not speak our protocol');
      await settle(heard.until(() => heard.reason !== null));
    });
  });
}

function greeterOf(node: string, secret: string | null, changes: Partial<Greeting> = {}) {
  return (subject: LaneSubject): Greeter => ({
    clock: subject.clock,
    secret,
    greeting: () => ({ cluster: 'c', node, session: 7, ...linkVersions, nonce: node.repeat(4), ...changes }),
  });
}
