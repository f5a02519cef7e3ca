import { setTimeout as sleep } from 'node:timers/promises';
import type { BrokerNode } from '../broker-node.js';
import { beyondLease, type Draft, eitherWay, type Kind, pick, type Upset } from './upset.js';

/** Disks that are slow, full and failing, and clocks that are wrong. */
export const machineKinds: Readonly<Record<string, Kind>> = {
  'slow-disk': slowDisk,
  'full-disk': fullDisk,
  'failing-disk': failingDisk,
  clock: clockJumps,
};

/**
 * Those that nobody survives who has one copy: for queues with several, and to see that a loss is found. Not part of a run unless they
 * are named.
 */
export const fatalKinds: Readonly<Record<string, Kind>> = {
  'lose-disk': lostDisk,
};

function one({ random, stage }: Draft): BrokerNode {
  return pick(random, stage.cluster.nodes);
}

/** Syncs hang, for a while each or all the time. */
function slowDisk(draft: Draft): Upset {
  const { random, stage } = draft;
  const node = one(draft);
  const machine = stage.machine(node);
  const hangMs = pick(random, [20, 200, 1000, Infinity]);
  let isOver = false;
  return {
    what: `the disk of ${node.name} ${hangMs === Infinity ? 'hangs' : `takes up to ${hangMs} ms to sync`}`,
    occupies: [node.name],
    lastsMs: eitherWay(draft),
    begin: () => {
      machine.syncs('hold');
      const change = async () => {
        while (!isOver) {
          await sleep(hangMs);
          if (!isOver) machine.syncs('through');
          await sleep(10);
          if (!isOver) machine.syncs('hold');
        }
      };
      if (hangMs !== Infinity) void change();
    },
    end: () => {
      isOver = true;
      machine.syncs('through');
    },
  };
}

function fullDisk(draft: Draft): Upset {
  const node = one(draft);
  const machine = draft.stage.machine(node);
  return {
    what: `the disk of ${node.name} full`,
    occupies: [node.name],
    lastsMs: eitherWay(draft),
    begin: () => machine.fill(),
    end: () => machine.empty(),
  };
}

/** A failed sync is for good: the broker confirms nothing until it is restarted. Somebody kills it then. */
function failingDisk(draft: Draft): Upset {
  const { stage } = draft;
  const node = one(draft);
  const machine = stage.machine(node);
  return {
    what: `syncs of ${node.name} fail, and it is killed and started again at the end`,
    occupies: [node.name],
    lastsMs: draft.random.chance(0.5) ? 500 : beyondLease(draft),
    begin: () => machine.syncs('fail'),
    end: async () => {
      await stage.kill(node);
      machine.syncs('through');
      stage.revive(node);
    },
  };
}

/** The broker is killed, and back after its lease with nothing. */
function lostDisk(draft: Draft): Upset {
  const { stage } = draft;
  const node = one(draft);
  return {
    what: `${node.name} killed, and its disk lost`,
    occupies: [node.name],
    lastsMs: beyondLease(draft),
    begin: async () => {
      await stage.kill(node);
      await stage.machine(node).wipe();
    },
    end: () => stage.revive(node),
  };
}

const second = 1000;
const hour = 3600 * second;

/** Of a broker's clock on the wall: once and back at the end, or all the time. */
function clockJumps(draft: Draft): Upset {
  const { random, stage } = draft;
  const node = one(draft);
  const machine = stage.machine(node);
  const byMs = pick(random, [1, -1]) * pick(random, [200, 5 * second, 60 * second, hour, 24 * hour]);
  const isStrobe = random.chance(0.4);
  let timer: NodeJS.Timeout | undefined;
  return {
    what: `the clock of ${node.name} ${isStrobe ? 'jumping to and fro' : 'wrong'} by ${byMs / second} s`,
    occupies: [`the clock of ${node.name}`],
    lastsMs: eitherWay(draft),
    begin: () => {
      machine.clock(byMs);
      let isWrong = true;
      const jump = () => {
        isWrong = !isWrong;
        machine.clock(isWrong ? byMs : 0);
      };
      if (isStrobe) timer = setInterval(jump, 50);
    },
    end: () => {
      clearInterval(timer);
      machine.clock(0);
    },
  };
}
