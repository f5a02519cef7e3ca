import { javaProgram } from './java-program.js';
import { playsEverything } from './program-suite.js';

playsEverything('the Java client', await javaProgram());
