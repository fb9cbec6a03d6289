/** The images that an installation of the project needs, for a cluster that reaches no registry. */
import { join, resolve } from 'node:path';
import { writeArchive } from '../../k8s/image/archive';
import { imageOf } from '../../k8s/image/image';
import { writeImage } from '../servers/kubernetes/image';

const ROOT = resolve(__dirname, '../..');

/**
 * @param nats path of a nats-server: it stands for the official image, whose entrypoint takes the same arguments
 * @returns paths of archives in the folder
 */
export async function writeImages(folder: string, nats: string): Promise<string[]> {
  const [own, ofNats] = [join(folder, 'prunesweep.tar'), join(folder, 'nats.tar')];
  await writeArchive(imageOf(ROOT).layers, own);
  const image = { name: 'docker.io/library/nats:2.12-alpine', files: { '/nats-server': nats } };
  await writeImage(ofNats, { ...image, entrypoint: ['/nats-server'] });
  return [own, ofNats];
}
