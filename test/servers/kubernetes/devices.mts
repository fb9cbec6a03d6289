/**
 * Made-up GPUs: tells kubelet of COUNT devices of RESOURCE and gives each container NVIDIA_VISIBLE_DEVICES. On SIGUSR1 the
 * first of them turns unhealthy, on SIGUSR2 healthy again. Runs where kubelet's folder of plugins is.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { credentials, loadPackageDefinition, Server, ServerCredentials } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const FOLDER = '/var/lib/kubelet/device-plugins';
const ENDPOINT = 'prunesweep.sock';
const MILLISECONDS_BETWEEN_LOOKS = 250;

const [resource, count] = process.argv.slice(2) as [string, string];
const definition = loadSync(join(import.meta.dirname, 'deviceplugin.proto'), { keepCase: true });
// biome-ignore lint/suspicious/noExplicitAny: what is loaded from a file has no types.
const api = loadPackageDefinition(definition).v1beta1 as any;

let isFirstHealthy = true;
// biome-ignore lint/suspicious/noExplicitAny: as above.
const watchers = new Set<any>();
const devices = () =>
  Array.from({ length: Number(count) }, (_, gpu) => ({
    ID: `GPU-${gpu}`,
    health: gpu > 0 || isFirstHealthy ? 'Healthy' : 'Unhealthy',
  }));

function tell(isHealthy: boolean): void {
  isFirstHealthy = isHealthy;
  for (const watcher of watchers) watcher.write({ devices: devices() });
}
process.on('SIGUSR1', () => tell(false));
process.on('SIGUSR2', () => tell(true));

const SERVICE = {
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  GetDevicePluginOptions: (_: any, answer: any) => answer(null, {}),
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  ListAndWatch(watcher: any) {
    watchers.add(watcher);
    watcher.on('cancelled', () => watchers.delete(watcher));
    watcher.write({ devices: devices() });
  },
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  Allocate({ request }: any, answer: any) {
    const container_responses = request.container_requests.map(({ devices_ids }: { devices_ids: string[] }) => ({
      envs: { NVIDIA_VISIBLE_DEVICES: devices_ids.join(',') },
    }));
    answer(null, { container_responses });
  },
};

const done = (resolve: () => void, reject: (error: Error) => void) => (error: Error | null) =>
  error === null ? resolve() : reject(error);

/** Until kubelet, which empties the folder when it starts, has done so again. */
async function serve(): Promise<void> {
  const server = new Server();
  try {
    server.addService(api.DevicePlugin.service, SERVICE);
    await new Promise<void>((resolve, reject) =>
      server.bindAsync(`unix://${join(FOLDER, ENDPOINT)}`, ServerCredentials.createInsecure(), done(resolve, reject)),
    );
    const kubelet = new api.Registration(`unix://${join(FOLDER, 'kubelet.sock')}`, credentials.createInsecure());
    const plugin = { version: 'v1beta1', endpoint: ENDPOINT, resource_name: resource };
    await new Promise<void>((resolve, reject) => kubelet.Register(plugin, done(resolve, reject)));
    kubelet.close();
    process.stdout.write(`registered ${count} of ${resource}\n`);
    while (existsSync(join(FOLDER, ENDPOINT))) await sleep(MILLISECONDS_BETWEEN_LOOKS);
  } finally {
    server.forceShutdown();
    watchers.clear();
  }
}

for (;;) {
  await serve().catch(({ message }: Error) => process.stdout.write(`${message}; again\n`));
  await sleep(MILLISECONDS_BETWEEN_LOOKS);
}
