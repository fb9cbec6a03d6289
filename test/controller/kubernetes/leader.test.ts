import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../../trainer/random';
import { ApiProxy } from '../../faults/operator/apiproxy';
import { Witness } from '../../faults/operator/witness';
import { hasKubernetes, whyNoKubernetes } from '../../servers/kubernetes';
import { hasNats, whyNoNats } from '../../servers/nats';
import { PATIENT, TestCluster } from './cluster';

const SPEC = { hiddenWidths: [[5]], pruneRatios: [0, 0.5], seeds: 2, parallelism: 2 };
const TRIES = Number(process.env.LEADER_TRIES ?? 5);
const FIRST_SEED = Number(process.env.LEADER_SEED ?? 1);
const never = async () => undefined;

/** A controller whose calls are its own, told apart from others' by its proxy. */
async function startOne(cluster: TestCluster) {
  const proxy = await ApiProxy.start(cluster.controllerKubeconfig);
  const { child, said, end } = cluster.startController([], proxy.kubeconfig);
  return {
    ...{ child, end, proxy },
    leads: () => said().includes('"leads"'),
    writes: () => proxy.count('write'),
  };
}
type One = Awaited<ReturnType<typeof startOne>>;

/** Two of them, of which the first leads. */
async function startTwo(cluster: TestCluster): Promise<[One, One]> {
  const leader = await startOne(cluster);
  await expect.poll(leader.leads, PATIENT).toBe(true);
  const other = await startOne(cluster);
  // It has asked for the lease, and has not got it.
  await expect.poll(() => other.proxy.count('lease'), PATIENT).toBeGreaterThan(1);
  return [leader, other];
}

describe.runIf(hasKubernetes && hasNats)(`of two controllers${whyNoKubernetes}${whyNoNats}`, () => {
  it('one acts, and when it is killed the other does, once its lease has run out', async () => {
    const cluster = await TestCluster.start({ auditLog: true });
    const witness = new Witness(cluster);
    cluster.behave = never;
    const [leader, other] = await startTwo(cluster);
    await witness.apply('test', SPEC);
    await witness.until('test', ({ state }) => state === 'Running');
    expect(leader.writes()).toBeGreaterThan(2);
    expect(other.writes()).toBe(0);

    const killed = performance.now();
    await leader.end('SIGKILL');
    await witness.edit('test', { parallelism: 1 });
    await expect.poll(other.writes, PATIENT).toBeGreaterThan(0);
    const seconds = (performance.now() - killed) / 1000;
    process.stdout.write(`${JSON.stringify({ takeoverSeconds: Number(seconds.toFixed(1)) })}\n`);
    // Not before another may, ten seconds after the last renewal that was seen, which is at most two seconds old.
    expect(seconds).toBeGreaterThan(7);
    expect(seconds).toBeLessThan(30);
    cluster.behave = (pod) => cluster.train(pod);
    await cluster.kubectl('delete', 'pods', '--all', '--wait=false');
    expect(await witness.problemsOf('test')).toEqual([]);
  });

  it('the other acts within seconds when the leader is told to end, for it gives its lease away', async () => {
    const cluster = await TestCluster.start({ auditLog: true });
    const [leader, other] = await startTwo(cluster);
    const told = performance.now();
    expect(await leader.end('SIGTERM')).toBe(0);
    await expect.poll(other.leads, PATIENT).toBe(true);
    const seconds = (performance.now() - told) / 1000;
    process.stdout.write(`${JSON.stringify({ handoverSeconds: Number(seconds.toFixed(1)) })}\n`);
  });

  it('one that was stopped past its lease and goes on does not act, whatever it was about to do', async () => {
    const cluster = await TestCluster.start({ auditLog: true });
    const witness = new Witness(cluster);
    const [leader, other] = await startTwo(cluster);
    // It is stopped when its ConfigMap is there and its Job is not: what it does next, if it may, is to create the Job.
    let isStopped = false;
    leader.proxy.after = async ({ method, path }) => {
      if (method === 'POST' && path.includes('/configmaps')) {
        leader.child.kill('SIGSTOP');
        isStopped = true;
      }
      return true;
    };
    await witness.apply('test', SPEC);
    await expect.poll(() => isStopped, PATIENT).toBe(true);
    await expect.poll(other.leads, PATIENT).toBe(true);
    const before = leader.writes();
    leader.child.kill('SIGCONT');
    expect(await witness.problemsOf('test')).toEqual([]);
    const lastLease = leader.proxy.count('lease');
    await expect.poll(() => leader.proxy.count('lease'), PATIENT).toBeGreaterThan(lastLease + 1);
    expect(leader.writes()).toBe(before);
    expect(other.writes()).toBeGreaterThan(0);
  });

  it(`nothing is created twice, whenever they are started and killed (${TRIES} tries)`, async () => {
    const cluster = await TestCluster.start({ auditLog: true });
    const witness = new Witness(cluster);
    const two = [await startOne(cluster), await startOne(cluster)];
    for (let seed = FIRST_SEED; seed < FIRST_SEED + TRIES; seed++) {
      const stream = new RandomStream(seed, 'leaders');
      const name = `try-${seed}`;
      await witness.apply(name, { ...SPEC, seeds: [2 * seed, 2 * seed + 1] });
      for (let kills = 1 + stream.below(2); kills > 0; kills--) {
        await sleep(stream.below(1500));
        const index = stream.below(2);
        await two[index]!.end('SIGKILL');
        two[index]!.proxy.stop();
        // Nobody waits for the lease of the dead; where it was that of the living two act for some seconds, which must do
        // no harm either.
        if (stream.below(4) > 0) await witness.freeLease();
        await sleep(stream.below(500));
        two[index] = await startOne(cluster);
      }
      expect(await witness.problemsOf(name), `LEADER_SEED=${seed} LEADER_TRIES=1`).toEqual([]);
    }
  }, 3_600_000);
});
