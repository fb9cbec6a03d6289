/** `prunesweep controller`: turns PruneSweeps of a namespace into Jobs, and keeps their status true. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { hostname } from 'node:os';
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { connectNats, type NatsOptions } from '../bus/nats/connect';
import { NatsSweeps } from '../bus/nats/sweeps';
import { Controller } from '../controller/kubernetes/controller';
import type { GpuPods } from '../controller/kubernetes/manifests';
import { UsageError } from '../sweep/errors';
import { describeDataset } from '../trainer/data/dataset';
import { asUsage, parseAddress } from './address';
import { log } from './log';

export interface ControllerFlags {
  namespace?: string;
  aggregator: string;
  image?: string;
  trainerSecret: string;
  trainerAuthority: boolean;
  trainerAccount: string;
  gpuPods: string;
  http: string;
  nats: NatsOptions;
}

const OWN_NAMESPACE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';

/** Pods that train are of the image that the controller is of. */
async function ownImage(config: KubeConfig, namespace: string): Promise<string> {
  const name = process.env.POD_NAME;
  if (name === undefined)
    throw new UsageError('--image: missing, and POD_NAME says no pod whose image could be taken; give the image');
  const { spec } = await config.makeApiClient(CoreV1Api).readNamespacedPod({ name, namespace });
  return spec!.containers[0]!.image!;
}

/** @throws UsageError */
function parseGpuPods(text: string): GpuPods {
  const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
  const refuse = (why: string) =>
    new UsageError(
      `--gpu-pods: ${why}; give {image: IMAGE, nodeSelector: {LABEL: VALUE}, tolerations: [{key: KEY, operator: Exists}]}`,
    );
  let given: unknown;
  try {
    given = parse(text);
  } catch (error) {
    throw refuse((error as Error).message.split('\n')[0]!);
  }
  if (!isObject(given)) throw refuse(`${text} is no object`);
  const { image, nodeSelector = {}, tolerations = [], ...rest } = given as Record<string, unknown>;
  for (const field of Object.keys(rest)) throw refuse(`${field} is unknown`);
  if (image !== undefined && (typeof image !== 'string' || image === '')) throw refuse('image is no name of an image');
  if (!isObject(nodeSelector) || Object.values(nodeSelector as object).some((value) => typeof value !== 'string'))
    throw refuse('nodeSelector is no object of texts');
  if (!Array.isArray(tolerations) || !tolerations.every(isObject)) throw refuse('tolerations is no list of objects');
  return given as GpuPods;
}

/** Works until it is told to end. */
export async function controller(flags: ControllerFlags): Promise<void> {
  const address = parseAddress(flags.http);
  const gpuPods = parseGpuPods(flags.gpuPods);
  const logger = log('controller');
  const config = new KubeConfig();
  config.loadFromDefault();
  const namespace =
    flags.namespace ??
    (existsSync(OWN_NAMESPACE) ? readFileSync(OWN_NAMESPACE, 'utf8').trim() : undefined) ??
    config.getContextObject(config.getCurrentContext())?.namespace ??
    'default';
  const ended = new AbortController();
  const end = () => ended.abort();
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
  const link = await connectNats(flags.nats, 'prunesweep controller', (line) => logger.warn(line));
  const running = new Controller({
    ...{ config, namespace, identity: `${hostname()}-${process.pid}`, aggregator: flags.aggregator },
    sweeps: new NatsSweeps(link),
    pods: {
      ...{
        image: flags.image ?? (await ownImage(config, namespace)),
        natsSecret: flags.trainerSecret,
        hasAuthority: flags.trainerAuthority,
      },
      serviceAccount: flags.trainerAccount,
      gpuPods,
    },
    shape: describeDataset({ name: 'mnist', validation: 0 }),
    log: logger,
  });
  const server = createServer(async ({ url }, answer) => {
    if (url === '/metrics') {
      answer.setHeader('content-type', running.metrics.registry.contentType);
      answer.end(await running.metrics.registry.metrics());
    } else answer.writeHead(url === '/healthz' ? 200 : 404).end();
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(asUsage(error, flags.http)));
      server.listen(address.port, address.host, resolve);
    });
    logger.info({ namespace, http: server.address() }, 'watches');
    await running.run(ended.signal);
  } finally {
    server.close();
    await link.connection.close();
  }
}
