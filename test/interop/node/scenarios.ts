import type { ScenarioName } from '../scenarios.js';
import { edges } from './edges.js';
import { routing } from './routing.js';
import type { Scenario } from './stage.js';
import { talking } from './talking.js';
import { working } from './working.js';

export const nodeScenarios: Record<ScenarioName, Scenario> = { ...working, ...routing, ...talking, ...edges };
