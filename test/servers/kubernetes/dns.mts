/**
 * DNS of a cluster: `node dns.mts ADDRESS` answers UDP on port 53 with the addresses of Services, of the endpoints of
 * headless ones, and of their pods by host name, as KUBECONFIG's cluster has them. All else does not exist: there is no
 * way out of the cluster. Addresses of IPv4 alone (A): nothing here asks for SRV or PTR.
 */
import { createSocket } from 'node:dgram';
import {
  CoreV1Api,
  DiscoveryV1Api,
  KubeConfig,
  type KubernetesListObject,
  type KubernetesObject,
  makeInformer,
  type V1EndpointSlice,
  type V1Service,
} from '@kubernetes/client-node';

const SUFFIX = '.svc.cluster.local';
const TYPE_A = 1;
const NAME_ERROR = 3;
/** Seconds. Pods come and go. */
const TTL = 1;
/** As many as an answer of 512 bytes has room for, beside the longest name. */
const MOST_ADDRESSES = 14;

const config = new KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(CoreV1Api);
const discovery = config.makeApiClient(DiscoveryV1Api);

/** What there is of a kind, kept up to date, also after the API server was away. */
async function follow<T extends KubernetesObject>(path: string, list: () => Promise<KubernetesListObject<T>>) {
  const informer = makeInformer(config, path, list);
  const again = () => setTimeout(() => informer.start().catch(again), 200);
  informer.on('error', again);
  await informer.start();
  return () => informer.list();
}

const services = await follow<V1Service>('/api/v1/services', () => core.listServiceForAllNamespaces());
const slices = await follow<V1EndpointSlice>('/apis/discovery.k8s.io/v1/endpointslices', () =>
  discovery.listEndpointSliceForAllNamespaces(),
);

/** Undefined when there is no such name. */
function addressesOf(name: string): string[] | undefined {
  if (!name.endsWith(SUFFIX)) return undefined;
  const [namespace, service, host, ...more] = name.slice(0, -SUFFIX.length).split('.').reverse();
  const found = services().find(({ metadata }) => metadata?.name === service && metadata?.namespace === namespace);
  if (found === undefined || more.length > 0) return undefined;
  const { clusterIP } = found.spec!;
  if (host === undefined && clusterIP !== undefined && clusterIP !== 'None') return [clusterIP];
  const ready = slices()
    .filter(({ metadata }) => metadata?.namespace === namespace)
    .filter(({ metadata }) => metadata?.labels?.['kubernetes.io/service-name'] === service)
    .flatMap(({ endpoints }) => endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false);
  const wanted = ready.filter(({ hostname }) => host === undefined || hostname === host);
  return wanted.length === 0 ? undefined : wanted.flatMap(({ addresses }) => addresses);
}

/** RFC 1035, section 4: a header of 12 bytes, the question as it was asked, and the answers. */
function answerTo(query: Buffer): Buffer {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const type = query.readUInt16BE(at + 1);
  const question = query.subarray(12, at + 5);
  const addresses = addressesOf(labels.join('.').toLowerCase());
  const answers = type === TYPE_A ? (addresses ?? []).slice(0, MOST_ADDRESSES) : [];

  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  // An authority's response, that recursion is there, and whether there is such a name.
  header.writeUInt16BE(0x8580 | (addresses === undefined ? NAME_ERROR : 0), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(answers.length, 6);
  // The name, as a pointer to the question's, then type A, class IN, how long it holds, and four bytes.
  const records = answers.map((address) =>
    Buffer.from([0xc0, 12, 0, TYPE_A, 0, 1, 0, 0, 0, TTL, 0, 4, ...address.split('.').map(Number)]),
  );
  return Buffer.concat([header, question, ...records]);
}

const socket = createSocket('udp4');
socket.on('message', (query, { address, port }) => {
  try {
    socket.send(answerTo(query), port, address);
  } catch (error) {
    console.error(`no answer to ${query.toString('hex')}: ${error}`);
  }
});
socket.bind(53, process.argv[2], () => console.error('listening'));
