/** `npm run crd`: writes the resource definition and its admission policy, as the schema of the sweep file has them now. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { gridPolicy, resourceDefinition } from '../../sweep/crd';

const HEAD = '# Written by `npm run crd` from sweep/schema.ts; change that, and write it again.\n';
const yaml = (objects: object[]): string =>
  HEAD + objects.map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })).join('---\n');

/** The files of this folder, by name. */
export const crdFiles = (): Record<string, string> => ({
  'prunesweeps.yaml': yaml([resourceDefinition()]),
  'grid-policy.yaml': yaml(gridPolicy()),
});

if (require.main === module)
  for (const [name, text] of Object.entries(crdFiles())) writeFileSync(join(__dirname, name), text);
