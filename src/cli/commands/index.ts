/** The commands, in the order in which `warder help` shows them. */
import type { Define } from '../program.ts';
import { up } from './up.ts';
import { version } from './version.ts';

export const commands: readonly Define[] = [up, version];
