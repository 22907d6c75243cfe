/** The commands, in the order in which `warder help` shows them. */
import type { Define } from '../program.ts';
import { control } from './control.ts';
import { gateway } from './gateway.ts';
import { up } from './up.ts';
import { version } from './version.ts';

export const commands: readonly Define[] = [up, control, gateway, version];
