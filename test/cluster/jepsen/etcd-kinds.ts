import type { EtcdNode } from '../real-cluster.js';
import { names } from './broker-kinds.js';
import { beyondLease, type Draft, eitherWay, type Kind, shuffled, type Upset } from './upset.js';

/** Members of etcd that are killed, or slow. */
export const etcdKinds: Readonly<Record<string, Kind>> = {
  'etcd-leader': leaderKilled,
  'etcd-majority': (draft) => killed(draft, 2, beyondLease(draft)),
  'etcd-all': (draft) => killed(draft, 3, eitherWay(draft)),
  'etcd-slow': slow,
};

function killed({ random, stage }: Draft, count: number, lastsMs: number): Upset {
  const members = shuffled(random, stage.cluster.members).slice(0, count);
  return {
    what: `${names(members.map(({ place }) => place))} killed`,
    occupies: ['etcd'],
    lastsMs,
    begin: async () => {
      await Promise.all(members.map(({ etcd }) => etcd.kill()));
    },
    end: () => {
      for (const { etcd } of members) etcd.start();
    },
  };
}

/** Whoever leads when it is done. */
function leaderKilled(draft: Draft): Upset {
  const { timeline, stage } = draft;
  let leader: EtcdNode | null = null;
  return {
    what: 'the leader of etcd killed',
    occupies: ['etcd'],
    lastsMs: eitherWay(draft),
    begin: async () => {
      leader = await leaderOf(stage.cluster.members);
      timeline.note(`the leader of etcd is ${leader === null ? 'nobody' : leader.place.name}`);
      await leader?.etcd.kill();
    },
    end: () => leader?.etcd.start(),
  };
}

async function leaderOf(members: readonly EtcdNode[]): Promise<EtcdNode | null> {
  for (const member of members) {
    const metrics = await fetch(`${member.etcd.endpoint}/metrics`, { signal: AbortSignal.timeout(2000) }).then(
      (response) => response.text(),
      () => '',
    );
    if (/^etcd_server_is_leader 1$/m.test(metrics)) return member;
  }
  return null;
}

function slow(draft: Draft): Upset {
  let ends: (() => void)[] = [];
  return {
    what: 'all of etcd slow',
    occupies: ['etcd'],
    lastsMs: beyondLease(draft),
    begin: () => {
      ends = draft.stage.cluster.members.map((member) => member.slow(300, 60));
    },
    end: () => {
      for (const end of ends) end();
    },
  };
}
