/** Loaded into every test process: each ends by itself, many a second, and one that hangs would hold up all. */
import { compileOnOwnThread } from '../src/host/own-thread.ts';

compileOnOwnThread();
