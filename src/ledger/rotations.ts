import { nodeDisk } from './disk-node.ts';
import { readRotations, type Rotation } from './signing.ts';

export { keyFollows, type Rotation } from './signing.ts';

/** The changes of keys of the log in this folder, oldest first: for whoever knows an older key of it. */
export function ledgerRotations(directory: string): readonly Rotation[] {
  return readRotations(nodeDisk, directory);
}
