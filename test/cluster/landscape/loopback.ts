import { freePort } from '../real-etcd.js';
import type { Landscape } from './landscape.js';
import { diesWithUs, type Place } from './place.js';

/** Everybody on 127.0.0.1, told apart by ports; no way can be cut. */
export class Loopback implements Landscape {
  readonly whyNoCuts: string;
  readonly here = onLoopback('here');

  constructor(whyNoCuts: string) {
    this.whyNoCuts = whyNoCuts;
  }

  place(name: string): Promise<Place> {
    return Promise.resolve(onLoopback(name));
  }

  cut(): void {
    throw new Error(`no way can be cut here: ${this.whyNoCuts}`);
  }

  breakConnections(): Promise<void> {
    return Promise.reject(new Error(`no connection can be broken here: ${this.whyNoCuts}`));
  }

  heal(): void {}

  healAll(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function onLoopback(name: string): Place {
  return { name, host: '127.0.0.1', wrapper: diesWithUs, port: freePort };
}
