import { fileURLToPath } from 'node:url';
import { Program } from '../../examples/demo/program.mjs';
import type { Story } from '../../examples/demo/stories.mjs';
import type { Broker } from './broker.js';

const folder = (language: string) => fileURLToPath(new URL(`../../examples/${language}`, import.meta.url));

/** How to start an example: its working directory and command. */
export type Cast = (name: string, place: number) => { cwd: string; command: string[] };

export const inNode: Cast = (name) => ({ cwd: folder('node'), command: [process.execPath, `${name}.mjs`] });

export function inPython(python: string): Cast {
  return (name) => ({ cwd: folder('python'), command: [python, `${name.replaceAll('-', '_')}.py`] });
}

/** Every second program in the other language. */
export function mixed(even: Cast, odd: Cast): Cast {
  return (name, place) => (place % 2 === 0 ? even : odd)(name, place);
}

/** Plays a story of examples/demo/stories.mjs; rejects with what its programs printed when it does not come out right. */
export async function playStory(story: Story, broker: Broker, cast: Cast): Promise<void> {
  const programs: Program[] = [];
  const start = (name: string, ...args: string[]) => {
    const { cwd, command } = cast(name, programs.length);
    const program = new Program(name, [...command, ...args], { cwd, environment: { AMQP_URL: broker.url } });
    programs.push(program);
    return program;
  };
  try {
    await story.play({ broker, start, note: () => {} });
  } finally {
    for (const program of programs) await program.kill9();
  }
}
