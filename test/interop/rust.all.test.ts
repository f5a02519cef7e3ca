import { playsEverything } from './program-suite.js';
import { rustProgram } from './rust-program.js';

playsEverything('lapin', await rustProgram());
