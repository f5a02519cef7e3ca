import { type FollowedReign, Follower, Leader, type Origins, type Ranges, Replica } from '@chapar/cluster';
import { SimReplicaLog } from './replica-log.js';

/** What may be planted differently in a simulated cluster, to see whether it shows. */
export interface Rules {
  readonly Replica: typeof Replica;
  /** What a leader says that it holds of an origin, and that was refused. */
  readonly verdicts: (origins: Origins, origin: string) => { readonly held: Ranges; readonly refused: Ranges };
  /** A node that lost its disk is another member. */
  readonly newDiskIsNewMember: boolean;
  readonly makeLog: () => SimReplicaLog;
}

export const soundRules: Rules = {
  Replica,
  verdicts: (origins, origin) => ({ held: origins.held(origin), refused: origins.refused(origin) }),
  newDiskIsNewMember: true,
  makeLog: () => new SimReplicaLog(),
};

interface Kinds {
  readonly leader?: typeof Leader;
  readonly follower?: typeof Follower;
}

/** A replica whose leaders or followers are others. */
export function replicaOf({ leader = Leader, follower = Follower }: Kinds): typeof Replica {
  return class extends Replica {
    protected override makeLeader(): Leader {
      return new leader(this.self, this.view, this.log, this.settings);
    }

    protected override makeFollower(reign: FollowedReign, link: number): Follower {
      return new follower(this.identity, reign, link, this.log);
    }
  };
}
