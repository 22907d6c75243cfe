/** Every enforcement point of the standard build. Adding one is a folder and a line here; the conformance kit then runs on it. */
import type { Point } from '../point.ts';
import { postgres } from './postgres/index.ts';

export const points: readonly Point[] = [postgres];
