import type { Session } from './session.js';

/** So many claims are under way at a time. */
const underWayMax = 128;

/**
 * Sessions that go with their connections and are to be told to other nodes, of which nobody waits: when many clients come at once, what others
 * write to the log of sessions is not behind all of them. Whoever has gone before it is his turn costs nothing.
 */
export class Claims {
  private readonly claim: (session: Session) => Promise<void>;
  private waiting: Session[] = [];
  private first = 0;
  private underWay = 0;

  /** `claim` does not reject. */
  constructor(claim: (session: Session) => Promise<void>) {
    this.claim = claim;
  }

  add(session: Session): void {
    this.waiting.push(session);
    this.goOn();
  }

  /** Of sessions that wait for their turn. */
  get waitingCount(): number {
    return this.waiting.length - this.first;
  }

  private goOn(): void {
    while (this.underWay < underWayMax && this.first < this.waiting.length) {
      const session = this.waiting[this.first++]!;
      if (session.isEnded) continue;
      this.underWay++;
      void this.claim(session).then(() => {
        this.underWay--;
        this.goOn();
      });
    }
    if (this.first < underWayMax && this.first < this.waiting.length) return;
    this.waiting = this.waiting.slice(this.first);
    this.first = 0;
  }
}
