/**
 * A sweep through the three NATS servers of production, which keep each message thrice, while one after another is killed.
 * A server that is lost with its disk: test/k8s/nats.test.ts.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { patiently } from '../../bus/nats/connect';
import { RECORDS } from '../../bus/nats/subjects';
import { prunesweep, start, writeSweep } from '../cli/prunesweep';
import { temporaryFolder, writeIdxFolder } from '../idxfiles';
import { come, isHealthy, type Server, serversFolder, startThree, urlOf } from '../k8s/natsservers';
import { hasNats, whyNoNats } from '../servers/nats';
import { freePort } from '../servers/port';

/** Two lineages, each a pack. */
const SPEC = {
  hiddenWidths: [[120, 60]],
  pruneRatios: [0, 0.5, 0.8, 0.9, 0.95, 0.98],
  seeds: 2,
  recipes: [{}, { recovery: 'regrow' }],
  training: { epochs: 4 },
  retraining: { epochs: 2 },
};
const TRIALS = 24;
/** A new leader is elected in 4 to 9 s. */
const PATIENT = { timeout: 60_000, interval: 50 };

/** The command line as a process that does not outlive the test. */
function begin(...args: string[]) {
  const running = start(args);
  onTestFinished(() => void running.process.kill('SIGKILL'));
  return running;
}

const acknowledgedIn = (log: string) =>
  [...log.matchAll(/"trial":"([0-9a-f]{64})","msg":"recorded /g)].map(([, trial]) => trial!);

describe.runIf(hasNats)(`a sweep through three NATS servers${whyNoNats}`, () => {
  it('ends in the table of one machine, though the leader of the ledger is killed, and then a follower', async () => {
    const folder = temporaryFolder();
    const sweep = writeSweep(folder, {
      ...{ dataset: { idx: writeIdxFolder(folder, { side: 28, classes: 4, train: 6000, test: 1000 }) }, ...SPEC },
    });
    const { code, stderr } = await prunesweep('run', sweep, '--out', join(folder, 'out'));
    expect(code, stderr).toBe(0);

    const home = serversFolder();
    const servers = await startThree(home);
    const ca = join(home, 'ca.crt');
    const natsOf = (role: 'trainer' | 'aggregator', server: Server) => ['--nats', urlOf(role, server), '--ca', ca];
    const address = `127.0.0.1:${await freePort()}`;
    const store = ['--store', join(folder, 'store'), '--http', address, '--replicas', '3'];
    begin('aggregator', ...store, ...natsOf('aggregator', servers[0]!));
    const link = await come(urlOf('aggregator', servers[0]!), ca);
    const manager = await link.connection.jetstreamManager({ checkAPI: false });
    const ledger = () =>
      patiently(link, 'the ledger', 0, () => manager.streams.info(RECORDS, { subjects_filter: '>' }));
    const recorded = async () => (await ledger()).state.messages;
    const number = (name = '') => Number(/^nats-(\d)$/.exec(name)![1]);
    const leader = async () => number((await ledger()).cluster?.leader);
    await expect.poll(leader, PATIENT).toBeGreaterThanOrEqual(0);

    /**
     * Kills a server once the pack has its first record, and brings it back when the other two took more.
     * @param choose one, by the number of the ledger's leader; the trainer is connected to it from the start
     */
    const trainPack = async (pack: number, choose: (leader: number) => number) => {
      const begun = await recorded();
      const nats = natsOf('trainer', servers[choose(await leader())]!);
      const trainer = begin('trainer', '--sweep', sweep, '--pack', String(pack), ...nats);
      await expect.poll(recorded, PATIENT).toBeGreaterThan(begun);
      const before = await recorded();
      const victim = choose(await leader());
      const { process, healthPort } = servers[victim]!;
      await process.kill();
      // One record may have come between the count and the kill.
      await expect.poll(recorded, PATIENT).toBeGreaterThan(before + 1);
      process.begin();
      await process.until(() => isHealthy(healthPort));
      const { code, stderr } = await trainer.outcome;
      expect(code, stderr).toBe(0);
      return { victim, acknowledged: acknowledgedIn(stderr) };
    };
    const first = await trainPack(0, (leader) => leader);
    // Of the two that are left this time, one was away before.
    const second = await trainPack(1, (leader) => [0, 1, 2].find((at) => at !== leader && at !== first.victim)!);
    const acknowledged = [...first.acknowledged, ...second.acknowledged];

    const state = async () => (await fetch(`http://${address}/api/sweeps/test`)).json();
    await expect.poll(state, PATIENT).toMatchObject({ complete: true });
    for (const file of ['trials.csv', 'table.csv']) {
      const served = await (await fetch(`http://${address}/api/sweeps/test/${file}`)).text();
      expect(served, file).toBe(readFileSync(join(folder, 'out', file), 'utf8'));
    }
    const { config, state: messages } = await ledger();
    expect(config.num_replicas).toBe(3);
    expect(Object.keys(messages.subjects!).map((subject) => subject.split('.')[2])).toEqual(
      expect.arrayContaining(acknowledged),
    );
    expect(new Set(acknowledged).size).toBe(TRIALS);
    expect(messages.messages).toBe(TRIALS);
  });
});
