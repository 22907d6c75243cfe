/**
 * Loaded into every test process. A process that ends while V8 compiles on another thread may hang for ever when that thread waits for a
 * garbage collection (nodejs/node#54918); so tests compile on their own thread.
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--no-concurrent-sparkplug');
setFlagsFromString('--no-concurrent-recompilation');
