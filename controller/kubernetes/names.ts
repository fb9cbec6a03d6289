/** Every name that the controller gives or goes by. */
import type { Part } from '../../sweep/packs';
import { GROUP } from './resource';

export const FIELD_MANAGER = 'prunesweep-controller';
export const LEASE = 'prunesweep-controller';

/** Labels of what a sweep owns: whose it is, and which revision of it. */
export const SWEEP_LABEL = `${GROUP}/sweep`;
export const REVISION_LABEL = `${GROUP}/revision`;
/** And which part of that, where there are parts. */
export const PART_LABEL = `${GROUP}/part`;
export const QUEUE_LABEL = 'kueue.x-k8s.io/queue-name';
/** A person's wish that what failed is tried again; any other value than before is a new wish. */
export const RETRY_ANNOTATION = `${GROUP}/retry`;
/** Keeps a deleted sweep until its table is withdrawn. */
export const FINALIZER = `${GROUP}/withdraw-table`;

/** Pods of an Indexed Job are called NAME-INDEX, which must be a host name of at most 63 characters. */
const LONGEST_OF_SWEEP = 43;

/** Of the Job and the ConfigMap of a revision, or of a part of it. */
export function objectName(sweep: string, revision: string, part?: Part): string {
  const end = part === undefined ? '' : `-${part}`;
  return `${sweep.slice(0, LONGEST_OF_SWEEP - end.length).replace(/-+$/, '')}-${revision}${end}`;
}

/** One event a reason and revision, however often it is told. */
export const eventName = (sweep: string, uid: string, generation: number, reason: string): string =>
  `${sweep}.${uid.slice(0, 8)}.${generation}.${reason.toLowerCase()}`;
