/** The software bill of materials of the image: CycloneDX 1.5. npm says what it knows of its packages; Node and Debian's are added. */
import { execFileSync } from 'node:child_process';
import { debianVersion } from './debian';
import type { Image } from './image';
import { RUN } from './run';

interface Component {
  'bom-ref': string;
  type: string;
  name: string;
  version: string;
  purl: string;
  externalReferences?: { url: string }[];
  [more: string]: unknown;
}
interface Bom {
  metadata: object & { component: Component };
  components: Component[];
  dependencies: { ref: string; dependsOn: string[] }[];
  [more: string]: unknown;
}

/**
 * @param root the checkout
 * @param digest of the image's manifest
 * @throws Error with npm's words when what is installed is not what the lock file says
 */
export function billOfMaterials(root: string, { packages, debian, node }: Image, digest: string): Bom {
  // Without `--omit dev`, which leaves out as well what a package for development needs too, such as yaml.
  const said = execFileSync('npm', ['sbom', '--sbom-format', 'cyclonedx'], {
    ...{ cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 2 ** 26 },
  });
  const bom = JSON.parse(said) as Bom;
  const shipped = new Set(packages.map(({ name, version }) => `${name}@${version}`));
  const components = bom.components
    .filter(({ 'bom-ref': ref }) => shipped.has(ref))
    .map((component) => ({
      ...component,
      // npm copies git@HOST:PATH from packages, which the format does not allow.
      externalReferences: component.externalReferences?.filter(({ url }) => URL.canParse(url)),
    }));
  const program = bom.metadata.component['bom-ref'];
  const isShipped = (ref: string) => ref === program || shipped.has(ref);
  const [, hex = ''] = digest.split(':');
  return {
    ...bom,
    // Of the content, as the same image has the same bill: a UUID in the shape that the format asks for.
    serialNumber: `urn:uuid:${hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*/, '$1-$2-8$3-8$4-$5')}`,
    metadata: {
      ...{ lifecycles: [{ phase: 'build' }] },
      component: {
        ...{ 'bom-ref': program, type: 'container', name: 'prunesweep', version: bom.metadata.component.version },
        ...{ purl: `pkg:oci/prunesweep@${encodeURIComponent(digest)}` },
        ...{ licenses: [{ license: { id: RUN.labels['org.opencontainers.image.licenses'] } }] },
      },
    },
    components: [
      ...components,
      {
        ...{ 'bom-ref': `node@${node}`, type: 'platform', name: 'node', version: node },
        ...{ purl: `pkg:generic/node@${node}`, cpe: `cpe:2.3:a:nodejs:node.js:${node}:*:*:*:*:*:*:*` },
        licenses: [{ license: { id: 'MIT' } }],
      },
      ...debian.map(({ name, version, architecture }) => ({
        ...{ 'bom-ref': `${name}@${version}`, type: 'library', name, version },
        purl: `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${architecture}&distro=debian-${debianVersion()}`,
      })),
    ],
    dependencies: bom.dependencies
      .filter(({ ref }) => isShipped(ref))
      .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter(isShipped) })),
  };
}
